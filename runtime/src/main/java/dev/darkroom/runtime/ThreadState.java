package dev.darkroom.runtime;

import org.jspecify.annotations.Nullable;

import java.util.Objects;

/** What libtorch would keep in thread-locals, kept in Java so that virtual threads have it too. */
final class ThreadState {
    private static final ThreadLocal<@Nullable Object[]> CURRENT =
            ThreadLocal.withInitial(() -> new @Nullable Object[2]);

    /**
     * The mode, null for {@link Mode#NO_GRAD}, and the scope. The thread holds this array for as
     * long as it lives; while it is empty it refers to none of Darkroom's classes, so that their
     * loader can be collected.
     */
    private final @Nullable Object[] slots;

    private ThreadState(@Nullable Object[] slots) {
        this.slots = slots;
    }

    static ThreadState current() {
        return new ThreadState(Objects.requireNonNull(CURRENT.get()));
    }

    /** Returns whether this is the calling thread's. */
    @SuppressWarnings("ReferenceEquality") // the same array, and not an equal one
    boolean isCurrent() {
        return slots == CURRENT.get();
    }

    Mode mode() {
        Object mode = slots[0];
        return mode == null ? Mode.NO_GRAD : (Mode) mode;
    }

    void mode(Mode mode) {
        slots[0] = mode == Mode.NO_GRAD ? null : mode;
    }

    @Nullable TensorScope scope() {
        return (TensorScope) slots[1];
    }

    void scope(@Nullable TensorScope scope) {
        slots[1] = scope;
    }

    /** Goes back to a mode and a scope that this thread had, and closes the scopes opened since. */
    void restore(Mode before, @Nullable TensorScope open) {
        mode(before);
        TensorScope inner = scope();
        while (inner != null && inner != open) {
            inner.close();
            inner = scope();
        }
    }
}
