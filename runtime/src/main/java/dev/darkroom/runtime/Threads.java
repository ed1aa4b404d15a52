package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.Native;

/** The native threads that one operator may use. */
public final class Threads {
    /**
     * The most that can be asked for: each takes memory, and libtorch ends the process without it.
     */
    public static final int MAX = 1024;

    private Threads() {}

    /** Returns how many threads an operator uses that is called from this thread. */
    public static int count() {
        return Native.threads();
    }

    /**
     * Sets the threads for operators called from this thread, and from threads that call their
     * first operator later.
     *
     * @param count from 1 to {@link #MAX}
     * @throws IllegalArgumentException if the number is outside
     */
    public static void set(int count) {
        if (count < 1 || count > MAX) {
            throw new IllegalArgumentException(
                    "an operator may use 1 to " + MAX + " threads, not " + count);
        }
        Native.setThreads(count);
    }
}
