package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.Pending;

/**
 * Calls of code that is not Darkroom's, such as listeners. What it leaves behind on the thread is
 * undone when it returns or throws: a {@link Mode} that it entered is left, a {@link TensorScope}
 * that it opened is closed with all its tensors.
 */
public final class ForeignCode {
    private ForeignCode() {}

    /** Code that may throw. */
    @FunctionalInterface
    public interface Code<T, E extends Exception> {
        T run() throws E;
    }

    /** Runs code and undoes what it leaves on this thread. */
    public static void run(Runnable code) {
        call(
                () -> {
                    code.run();
                    return true;
                });
    }

    /**
     * Calls code and undoes what it leaves on this thread.
     *
     * @return its result
     * @throws E what the code throws
     */
    public static <T, E extends Exception> T call(Code<T, E> code) throws E {
        ThreadState state = ThreadState.current();
        Mode mode = state.mode();
        TensorScope scope = state.scope();
        Pending pending = Pending.innermost();
        try {
            return code.run();
        } finally {
            state.restore(mode, scope);
            Pending.undoSince(pending);
        }
    }
}
