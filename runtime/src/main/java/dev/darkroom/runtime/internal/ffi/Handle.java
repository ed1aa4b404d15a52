package dev.darkroom.runtime.internal.ffi;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * A native object with one owner, safe against use after close. A call holds the handle while it
 * runs; a handle that is held can't be closed, so native code never sees freed memory.
 *
 * <p>{@link #state} counts the calls that hold the handle; its sign bit says that it is closed to
 * new ones. Whoever brings it to "closed, held by nobody" frees the object, once.
 */
public abstract sealed class Handle permits TensorHandle, ObjectHandle {
    private static final int CLOSED = 0x8000_0000;
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

    /** What this is, for messages: "tensor". */
    abstract String noun();

    /** Where this was made, if that is recorded. */
    @Nullable Throwable site() {
        return null;
    }

    /** Whether the handle is closed. */
    public final boolean isClosed() {
        return state < 0;
    }

    /** Keeps the object alive until {@link #release}. */
    final void hold() {
        int before;
        do {
            before = state;
            if (before < 0) {
                throw closed("used after it was closed");
            }
        } while (!STATE.compareAndSet(this, before, before + 1));
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
