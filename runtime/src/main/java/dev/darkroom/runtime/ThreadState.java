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
}
