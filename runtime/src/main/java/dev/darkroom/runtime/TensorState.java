package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.CallFrame;
import dev.darkroom.runtime.internal.ffi.Native;
import dev.darkroom.runtime.internal.ffi.Operator;
import dev.darkroom.runtime.internal.ffi.TensorHandle;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/**
 * What a {@link Tensor} is and how long it lives, and how operators are called.
 *
 * <p>{@link Tensor} is put together from layers by what their operators do, as Java's {@code
 * StringBuilder} is: this one, {@link ShapeOperators}, {@link ReductionOperators}, {@link
 * ElementwiseOperators}. Each is sealed for the next, so that users see the methods of one class.
 */
abstract sealed class TensorState permits ShapeOperators {
    final TensorHandle handle;
    @Nullable TensorScope scope;

    /** The shape that was last asked for. */
    private @Nullable Shape shape;

    TensorState(TensorHandle handle) {
        this.handle = handle;
    }

    // ---- What it is ----

    /** Returns the type of the elements. */
    public DType dtype() {
        return DType.ofCode(handle.info().dtype());
    }

    /** Returns the device that the elements are on. */
    public Device device() {
        return Device.ofCode(handle.info().device());
    }

    /** Returns the sizes of the dimensions. */
    public Shape shape() {
        long[] sizes = handle.info().sizes();
        Shape known = shape;
        if (known == null || !known.isOver(sizes)) {
            known = Shape.over(sizes);
            shape = known;
        }
        return known;
    }

    /** Returns the size of a dimension, from 0, or from −1 counted from the end. */
    public long size(int dim) {
        return shape().size(dim);
    }

    /** Returns the number of dimensions. */
    public int rank() {
        return shape().rank();
    }

    /** Returns the number of elements. */
    public long elements() {
        return shape().elements();
    }

    /** Returns the strides: the steps between neighbours in each dimension, in elements. */
    public long[] strides() {
        return handle.info().strides().clone();
    }

    /** Returns whether the elements lie in row-major order without gaps. */
    public boolean isContiguous() {
        var info = handle.info();
        long[] sizes = info.sizes();
        long expected = 1;
        for (int i = sizes.length - 1; i >= 0; i--) {
            if (sizes[i] != 1 && info.strides()[i] != expected && elements() != 0) {
                return false;
            }
            expected *= sizes[i];
        }
        return true;
    }

    /** Returns the address of the first element. */
    public long dataPointer() {
        return Native.storage(handle).data();
    }

    /** Returns the address of the memory that this tensor may share with others. */
    public long storagePointer() {
        return Native.storage(handle).storage();
    }

    /** Returns type and shape, such as {@code float32[2, 3]}. */
    @Override
    public String toString() {
        return isClosed() ? "closed tensor" : dtype() + shape().toString();
    }

    // ---- Life ----

    /** Returns whether {@link #close} was called, or the scope that owned this tensor is closed. */
    public boolean isClosed() {
        return handle.isClosed();
    }

    void requireOpen() {
        handle.info();
    }

    /**
     * Frees this reference to the tensor; its memory goes with the last tensor that shares it.
     *
     * @throws IllegalStateException if it is closed already, or in use by a call on another thread
     */
    public void close() {
        handle.close();
    }

    /** Makes another reference to the same tensor, which is closed by itself. */
    public Tensor alias() {
        return adopt(Native.retain(handle));
    }

    // ---- How operators are called ----

    /** This tensor, as all of its layers' methods return it. */
    final Tensor self() {
        return (Tensor) this;
    }

    /** Calls an operator that takes this tensor alone. */
    final Tensor unary(Operator operator) {
        return run(operator.call().arg(handle));
    }

    /** Counts dimensions from the front. */
    final long[] dims(int... dims) {
        var checked = new long[dims.length];
        for (int i = 0; i < dims.length; i++) {
            checked[i] = shape().dim(dims[i]);
        }
        return checked;
    }

    /** Makes a tensor in the scope that is open. If that fails, the handle is closed. */
    static Tensor adopt(TensorHandle handle) {
        try {
            return adopt(handle, ThreadState.current());
        } catch (RuntimeException | Error e) {
            handle.abandon();
            throw e;
        }
    }

    private static Tensor adopt(TensorHandle handle, ThreadState state) {
        var tensor = new Tensor(handle);
        TensorScope open = state.scope();
        if (open != null) {
            open.add(tensor);
        }
        return tensor;
    }

    /** Makes tensors in the scope that is open, all or none; null for a missing one. */
    static List<@Nullable Tensor> adoptAll(@Nullable TensorHandle[] handles) {
        try {
            List<@Nullable Tensor> tensors = new ArrayList<>(handles.length);
            for (TensorHandle handle : handles) {
                tensors.add(handle == null ? null : adopt(handle));
            }
            return Collections.unmodifiableList(tensors);
        } catch (RuntimeException | Error e) {
            abandon(handles);
            throw e;
        }
    }

    private static void abandon(@Nullable TensorHandle[] handles) {
        for (TensorHandle handle : handles) {
            if (handle != null) {
                handle.abandon();
            }
        }
    }

    static Tensor run(CallFrame call) {
        Tensor tensor;
        try {
            ThreadState state = ThreadState.current();
            tensor = adopt(call.tensor(state.mode().nativeMode), state);
        } catch (RuntimeException | Error e) {
            call.discard();
            throw e;
        }
        call.done();
        return tensor;
    }

    static List<Tensor> runAll(CallFrame call) {
        List<Tensor> tensors = new ArrayList<>();
        try {
            ThreadState state = ThreadState.current();
            for (TensorHandle handle : call.tensors(state.mode().nativeMode)) {
                tensors.add(adopt(Objects.requireNonNull(handle, "an undefined result"), state));
            }
        } catch (RuntimeException | Error e) {
            call.discard();
            throw e;
        }
        call.done();
        return Collections.unmodifiableList(tensors);
    }

    static void invoke(CallFrame call) {
        call.invoke(ThreadState.current().mode().nativeMode);
    }

    /** Calls an operator that changes this tensor. */
    final Tensor inPlace(CallFrame call) {
        invoke(call);
        return self();
    }

    static List<TensorHandle> handles(List<Tensor> tensors) {
        List<TensorHandle> handles = new ArrayList<>(tensors.size());
        for (Tensor tensor : tensors) {
            handles.add(tensor.handle);
        }
        return handles;
    }

    static @Nullable TensorHandle handle(@Nullable Tensor tensor) {
        return tensor == null ? null : tensor.handle;
    }
}
