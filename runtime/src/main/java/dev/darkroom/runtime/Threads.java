package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.Native;

/** The native threads that one operator may use. */
public final class Threads {
    private Threads() {}

    /** Threads that an operator called from this thread uses. */
    public static int count() {
        return Native.threads();
    }

    /**
     * Sets the threads for operators called from this thread, and from threads that call their
     * first operator later.
     *
     * @throws IllegalArgumentException if the number is not positive
     */
    public static void set(int count) {
        if (count < 1) {
            throw new IllegalArgumentException(
                    "an operator needs at least one thread, not " + count);
        }
        Native.setThreads(count);
    }
}
