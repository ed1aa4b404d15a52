package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.bindings.DarkroomH;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Libtorch's warnings. The shim keeps them until a call has returned: a logger is code of others,
 * and native code can't survive what it may throw.
 */
final class LibtorchWarnings {
    private static final System.Logger LOG = System.getLogger("dev.darkroom.libtorch");
    private static final int CAPACITY = 4096;

    /** How many wait, in the shim's memory. */
    private static final MemorySegment WAITING =
            DarkroomH.dr_warnings_waiting().reinterpret(ValueLayout.JAVA_INT.byteSize());

    private LibtorchWarnings() {}

    /** Logs those that wait, if any. To be called after each call. */
    static void log() {
        try {
            if (WAITING.get(ValueLayout.JAVA_INT, 0) != 0) {
                logAll();
            }
        } catch (RuntimeException | Error e) {
            // Whatever a logger throws, or no stack left for it: the call itself has gone well.
        }
    }

    private static void logAll() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(CAPACITY);
            while (DarkroomH.dr_take_warning(text, CAPACITY) >= 0) {
                LOG.log(System.Logger.Level.WARNING, text.getString(0));
            }
        }
    }
}
