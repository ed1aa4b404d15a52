package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.Pending;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * Owns the tensors that a thread makes while it is the thread's innermost open scope, and closes
 * them with itself. What is to live longer is {@linkplain #keep kept}: it then belongs to the scope
 * around. Tensors made with no scope open are closed by whoever made them.
 *
 * <pre>{@code
 * try (var scope = TensorScope.open()) {
 *     var hidden = x.matmul(w1).silu();
 *     return scope.keep(hidden.matmul(w2));
 * }
 * }</pre>
 */
public final class TensorScope implements AutoCloseable {
    private final ThreadState owner;
    private final @Nullable TensorScope outer;

    /** The call that was pending when this was opened. */
    private final @Nullable Pending before = Pending.innermost();

    private final List<Tensor> tensors = new ArrayList<>();
    private int sweepAt = 256;
    private boolean closed;

    private TensorScope(ThreadState owner) {
        this.owner = owner;
        outer = owner.scope();
    }

    /** Opens a scope on the calling thread, inside the one that is open, if any. */
    public static TensorScope open() {
        ThreadState state = ThreadState.current();
        var scope = new TensorScope(state);
        state.scope(scope);
        return scope;
    }

    /**
     * Gives a tensor of this scope to the scope around this one, or to nobody if there is none: the
     * caller then closes it. A tensor that this scope does not own is left as it is.
     *
     * @return the tensor
     * @throws IllegalStateException if the tensor or this scope is closed already, or this is
     *     another thread's
     */
    public Tensor keep(Tensor tensor) {
        requireOwn();
        tensor.requireOpen();
        if (tensor.scope == this) {
            if (outer == null) {
                tensor.scope = null;
            } else {
                outer.add(tensor);
            }
        }
        return tensor;
    }

    /** Takes a tensor out of every scope: the caller closes it. */
    public static Tensor detach(Tensor tensor) {
        tensor.requireOpen();
        tensor.scope = null;
        return tensor;
    }

    /**
     * Closes a tensor for which this is the last use on this thread. One that a call on another
     * thread is using is freed when that call returns; one that is closed stays so.
     */
    public static void release(Tensor tensor) {
        tensor.handle.abandon();
    }

    /**
     * Takes over a tensor: it is closed with this scope.
     *
     * @return the tensor
     * @throws IllegalStateException if the tensor or this scope is closed already, or this is
     *     another thread's
     */
    public Tensor adopt(Tensor tensor) {
        requireOwn();
        tensor.requireOpen();
        add(tensor);
        return tensor;
    }

    private void requireOwn() {
        if (closed) {
            throw new IllegalStateException("the scope is closed; it can't own a tensor any more");
        }
        if (!owner.isCurrent()) {
            throw new IllegalStateException("a scope is used on the thread that opened it");
        }
    }

    void add(Tensor tensor) {
        if (tensors.size() >= sweepAt) {
            tensors.removeIf(old -> old.scope != this || old.isClosed());
            sweepAt = Math.max(256, 2 * tensors.size());
        }
        tensors.add(tensor);
        tensor.scope = this; // last, in case that Java's heap is full
    }

    /**
     * Closes the tensors that this scope owns. One that a call on another thread is using is freed
     * when that call returns.
     *
     * @throws IllegalStateException if this is not the calling thread's innermost scope. On the
     *     thread that opened it, it is closed all the same, and those inside it before.
     */
    @Override
    public void close() {
        if (!owner.isCurrent()) {
            throw new IllegalStateException("a scope is closed on the thread that opened it");
        }
        if (closed) {
            return;
        }
        boolean innermost = owner.scope() == this;
        for (TensorScope inner = owner.scope(); inner != this; inner = owner.scope()) {
            Objects.requireNonNull(inner, "open scopes are the thread's").end();
        }
        end();
        if (!innermost) {
            throw new IllegalStateException(
                    "scopes are closed innermost first; one inside this one was still open");
        }
    }

    /** Closes the innermost scope. Where no stack is left for it, it can be ended again. */
    private void end() {
        Pending.undoSince(before);
        while (!tensors.isEmpty()) {
            Tensor tensor = tensors.getLast();
            if (tensor.scope == this) {
                release(tensor);
            }
            tensors.removeLast();
        }
        closed = true;
        owner.scope(outer);
    }
}
