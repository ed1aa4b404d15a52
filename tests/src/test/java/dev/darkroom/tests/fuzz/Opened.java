package dev.darkroom.tests.fuzz;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * What is opened in and below a folder, by Java, by native code or by another process: the kernel
 * tells (Linux's {@code inotify}, {@code IN_OPEN}).
 */
@SuppressWarnings("restricted") // it calls the system
final class Opened implements AutoCloseable {
    private static final int NON_BLOCKING = 0x800;
    private static final int IN_OPEN = 0x20;
    private static final int BUFFER = 1 << 16;

    /** Of an event: the watch, its mask, a cookie and the length of the name that follows. */
    private static final int EVENT = 16;

    private static final Linker LINKER = Linker.nativeLinker();

    private final Arena arena = Arena.ofConfined();
    private final MemorySegment events = arena.allocate(BUFFER, Integer.BYTES);
    private final Map<Integer, Path> watched = new HashMap<>();
    private final int descriptor;

    Opened(Path folder) throws IOException {
        descriptor = (int) call("inotify_init1", int.class, NON_BLOCKING);
        try (Stream<Path> below = Files.walk(folder)) {
            for (Path each : below.filter(Files::isDirectory).toList()) {
                var path = arena.allocateFrom(each.toString());
                int watch = (int) call("inotify_add_watch", int.class, descriptor, path, IN_OPEN);
                Answers.require(watch >= 0, "no watch of " + each, null);
                watched.put(watch, each);
            }
        }
    }

    /** The paths that were opened since the last look. */
    Set<Path> take() {
        var opened = new TreeSet<Path>();
        for (long read;
                (read = (long) call("read", long.class, descriptor, events, (long) BUFFER)) > 0; ) {
            for (long at = 0; at < read; ) {
                Path folder = watched.get(events.get(ValueLayout.JAVA_INT, at));
                int length = events.get(ValueLayout.JAVA_INT, at + EVENT - Integer.BYTES);
                String name = length == 0 ? "" : events.getString(at + EVENT);
                opened.add(folder.resolve(name));
                at += EVENT + length;
            }
        }
        return opened;
    }

    @Override
    public void close() {
        call("close", int.class, descriptor);
        arena.close();
    }

    private static Object call(String function, Class<?> result, Object... arguments) {
        var types = new MemoryLayout[arguments.length];
        for (int i = 0; i < types.length; i++) {
            types[i] = layout(arguments[i]);
        }
        MethodHandle handle =
                LINKER.downcallHandle(
                        LINKER.defaultLookup().find(function).orElseThrow(),
                        FunctionDescriptor.of(
                                result == int.class ? ValueLayout.JAVA_INT : ValueLayout.JAVA_LONG,
                                types));
        try {
            return handle.invokeWithArguments(arguments);
        } catch (Throwable e) {
            throw new AssertionError(function, e);
        }
    }

    private static MemoryLayout layout(Object argument) {
        return switch (argument) {
            case Integer i -> ValueLayout.JAVA_INT;
            case Long l -> ValueLayout.JAVA_LONG;
            default -> ValueLayout.ADDRESS;
        };
    }
}
