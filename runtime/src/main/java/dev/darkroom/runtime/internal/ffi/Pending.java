package dev.darkroom.runtime.internal.ffi;

import org.jspecify.annotations.Nullable;

import java.util.Objects;

/**
 * A call that has not given back what it holds. Calls end by {@code finally} and {@code catch}; but
 * where Java's heap is full, HotSpot may drop a compiled frame together with its handlers, since it
 * can't allocate the objects that it had left out of it. So a thread also keeps its pending calls
 * in a list, and what opened before them, such as a scope, undoes those that are left when it ends.
 */
public abstract class Pending {
    /**
     * The innermost pending call. The thread holds this array for as long as it lives; while it is
     * empty it refers to none of Darkroom's classes, so that their loader can be collected.
     */
    private static final ThreadLocal<@Nullable Object[]> INNERMOST =
            ThreadLocal.withInitial(() -> new @Nullable Object[1]);

    /** The thread's, while this is pending. */
    private @Nullable Object @Nullable [] thread;

    private @Nullable Pending outer;

    Pending() {}

    /** Gives everything back. Allocates nothing. */
    abstract void undo();

    final void begin() {
        @Nullable Object[] current = Objects.requireNonNull(INNERMOST.get());
        outer = (Pending) current[0];
        thread = current;
        current[0] = this;
    }

    /** Ends this, and undoes what is pending inside it. Without effect where it is not pending. */
    final void end() {
        @Nullable Object[] current = thread;
        if (current != null) {
            undo(current, this);
            leave(current);
        }
    }

    private void leave(@Nullable Object[] current) {
        current[0] = outer;
        outer = null;
        thread = null;
    }

    @SuppressWarnings("ReferenceEquality") // that very call
    private static void undo(@Nullable Object[] current, @Nullable Object since) {
        while (current[0] != since && current[0] instanceof Pending inner) {
            inner.leave(current);
            inner.undo();
        }
    }

    /** Returns the calling thread's innermost pending call, for {@link #undoSince}. */
    public static @Nullable Pending innermost() {
        return (Pending) Objects.requireNonNull(INNERMOST.get())[0];
    }

    /** Undoes the calling thread's calls that were begun after another one and never ended. */
    public static void undoSince(@Nullable Pending outer) {
        undo(Objects.requireNonNull(INNERMOST.get()), outer);
    }
}
