package dev.darkroom.runtime;

import org.jspecify.annotations.Nullable;

/** What libtorch would keep in thread-locals, kept in Java so that virtual threads have it too. */
final class ThreadState {
    private static final ThreadLocal<ThreadState> CURRENT =
            ThreadLocal.withInitial(ThreadState::new);

    Mode mode = Mode.NO_GRAD;
    @Nullable TensorScope scope;

    private ThreadState() {}

    static ThreadState current() {
        return CURRENT.get();
    }

    /** Goes back to a mode and a scope that this thread had, and closes the scopes opened since. */
    void restore(Mode before, @Nullable TensorScope open) {
        mode = before;
        TensorScope inner = scope;
        while (inner != null && inner != open) {
            inner.close();
            inner = scope;
        }
    }
}
