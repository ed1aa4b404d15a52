package dev.darkroom.runtime.internal.ffi;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Where glibc takes large blocks from. */
public final class LargeBlocks {
    private static final String FUNCTION = "mallopt";
    private static final int M_MMAP_THRESHOLD = -3;
    private static final int SMALLEST = 1 << 20;

    private LargeBlocks() {}

    /** Whether they are mapped alone from now on; other systems are left as they are. */
    private static final class Mapped {
        static final boolean YES = set();
    }

    /**
     * Maps blocks from 1 MiB up alone, from now on and in the whole process.
     *
     * @return whether that could be done
     */
    public static boolean map() {
        return Mapped.YES;
    }

    private static boolean set() {
        Linker linker = Linker.nativeLinker();
        return Platform.os().equals("linux")
                && linker.defaultLookup().find(FUNCTION).map(f -> set(linker, f)).orElse(false);
    }

    private static boolean set(Linker linker, MemorySegment function) {
        var types =
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
        try {
            return (int)
                            linker.downcallHandle(function, types)
                                    .invokeExact(M_MMAP_THRESHOLD, SMALLEST)
                    == 1;
        } catch (Throwable e) {
            throw e instanceof Error error ? error : new AssertionError(e);
        }
    }
}
