package dev.darkroom.runtime.internal.ffi;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * A native object with one owner, safe against use after close. A call holds the handle while it
 * runs; a handle that is held can't be closed, so native code never sees freed memory.
 *
 * <p>{@link #state} counts the calls that hold the handle; its sign bit says that it is closed to
 * new ones, the bit below that one call has it for itself. Whoever brings it to "closed, held by
 * nobody" frees the object, once.
 */
public abstract sealed class Handle permits TensorHandle, ObjectHandle {
    private static final int CLOSED = 0x8000_0000;
    private static final int SEIZED = 0x4000_0000;
    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(Handle.class, "state", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    final long address;
    private volatile int state;

    Handle(long address) {
        this.address = address;
    }

    /** Frees the native object. */
    abstract void free();

    /**
     * Ends what was given out of the object.
     *
     * @throws IllegalStateException if that is being used
     */
    void unshare() {}

    /** Returns what this is, for messages: "tensor". */
    abstract String noun();

    /** Returns where this was made, if that is recorded. */
    @Nullable Throwable site() {
        return null;
    }

    /** Returns whether the handle is closed. */
    public final boolean isClosed() {
        return state < 0;
    }

    /** Keeps the object alive until {@link #release}. */
    final void hold() {
        int before;
        do {
            before = state;
            if (Integer.compareUnsigned(before, SEIZED) >= 0) {
                throw unavailable(before);
            }
        } while (!STATE.compareAndSet(this, before, before + 1));
    }

    private IllegalStateException unavailable(int seen) {
        return seen < 0
                ? closed("used after it was closed")
                : new IllegalStateException(
                        "the " + noun() + " is being changed by a call on another thread");
    }

    /**
     * Takes the handle for one call that changes the object, until {@link #unseize}.
     *
     * @throws IllegalStateException if it is closed, or in use by another call
     */
    final void seize() {
        if (!STATE.compareAndSet(this, 0, SEIZED)) {
            int seen = state;
            throw seen < 0 || seen >= SEIZED
                    ? unavailable(seen)
                    : new IllegalStateException(
                            "the "
                                    + noun()
                                    + " can't be changed: it is in use by a call on another"
                                    + " thread");
        }
    }

    final void unseize() {
        if ((int) STATE.getAndAdd(this, -SEIZED) - SEIZED == CLOSED) {
            free();
        }
    }

    final void release() {
        int after = (int) STATE.getAndAdd(this, -1) - 1;
        if (after == CLOSED) {
            free();
        }
    }

    /**
     * Frees the object.
     *
     * @throws IllegalStateException if it is closed already, or in use by a call on another thread
     */
    public final void close() {
        unshare();
        if (STATE.compareAndSet(this, 0, CLOSED)) {
            free();
            return;
        }
        if (state < 0) {
            throw closed("closed twice");
        }
        throw new IllegalStateException(
                "the " + noun() + " is in use by a call on another thread; close it afterwards");
    }

    /**
     * Closes the handle if it is open; if a call holds it, the object is freed when that returns.
     */
    public final void abandon() {
        int before;
        do {
            before = state;
            if (before < 0) {
                return;
            }
        } while (!STATE.compareAndSet(this, before, before | CLOSED));
        if (before == 0) {
            free();
        }
    }

    private IllegalStateException closed(String what) {
        var error = new IllegalStateException("the " + noun() + " was " + what);
        Throwable site = site();
        if (site != null) {
            error.initCause(site);
        }
        return error;
    }
}
