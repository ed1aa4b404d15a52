package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.Operator;
import dev.darkroom.runtime.internal.ffi.TensorHandle;

import java.util.Arrays;
import java.util.List;

/**
 * The operators of a {@link Tensor} that arrange its elements: another shape, order, type or
 * device.
 */
abstract sealed class ShapeOperators extends TensorState permits ReductionOperators {
    ShapeOperators(TensorHandle handle) {
        super(handle);
    }

    private static final Operator RESHAPE = Operator.of("reshape", "");
    private static final Operator PERMUTE = Operator.of("permute", "");
    private static final Operator TRANSPOSE = Operator.of("transpose", "int");
    private static final Operator UNSQUEEZE = Operator.of("unsqueeze", "");
    private static final Operator SQUEEZE = Operator.of("squeeze", "dim");
    private static final Operator FLATTEN = Operator.of("flatten", "using_ints");
    private static final Operator EXPAND = Operator.of("expand", "");
    private static final Operator CONTIGUOUS = Operator.of("contiguous", "");
    private static final Operator CLONE = Operator.of("clone", "");
    private static final Operator CHUNK = Operator.of("chunk", "");
    private static final Operator SPLIT = Operator.of("split_with_sizes", "");
    private static final Operator UNBIND = Operator.of("unbind", "int");
    private static final Operator NARROW = Operator.of("narrow", "");
    private static final Operator SELECT = Operator.of("select", "int");
    private static final Operator INDEX_SELECT = Operator.of("index_select", "");
    private static final Operator GATHER = Operator.of("gather", "");
    private static final Operator REPEAT = Operator.of("repeat", "");
    private static final Operator REPEAT_INTERLEAVE = Operator.of("repeat_interleave", "self_int");
    private static final Operator FLIP = Operator.of("flip", "");
    private static final Operator VIEW_DTYPE = Operator.of("view", "dtype");
    private static final Operator TO = Operator.of("to", "dtype_layout");
    private static final Operator TRIL = Operator.of("tril", "");
    private static final Operator TRIU = Operator.of("triu", "");

    /**
     * Returns the same elements in another shape; shares memory where it can.
     *
     * @param shape one size may be −1, to be worked out
     */
    public Tensor reshape(long... shape) {
        Checks.requireReshape(shape(), shape);
        return run(RESHAPE.call().arg(handle).ints(shape));
    }

    /** Permutes the dimensions; shares memory. */
    public Tensor permute(int... dims) {
        if (dims.length != rank()) {
            throw new IllegalArgumentException(
                    "permute: "
                            + Arrays.toString(dims)
                            + " does not order the "
                            + rank()
                            + " dimensions of shape "
                            + shape());
        }
        return run(PERMUTE.call().arg(handle).ints(dims(dims)));
    }

    /** Exchanges two dimensions; shares memory. */
    public Tensor transpose(int a, int b) {
        return run(
                TRANSPOSE.call().arg(handle).arg((long) shape().dim(a)).arg((long) shape().dim(b)));
    }

    /** Inserts a dimension of size 1 at a position; shares memory. */
    public Tensor unsqueeze(int dim) {
        int position = dim < 0 ? dim + rank() + 1 : dim;
        if (position < 0 || position > rank()) {
            throw new IndexOutOfBoundsException(
                    "unsqueeze: no position " + dim + " in shape " + shape());
        }
        return run(UNSQUEEZE.call().arg(handle).arg((long) position));
    }

    /** Removes a dimension of size 1; shares memory. */
    public Tensor squeeze(int dim) {
        if (size(dim) != 1) {
            throw new IllegalArgumentException(
                    "squeeze: dimension " + dim + " of shape " + shape() + " is not 1");
        }
        return run(SQUEEZE.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /**
     * Flattens dimensions {@code from} to {@code to}, both included, to one; shares memory where it
     * can.
     */
    public Tensor flatten(int from, int to) {
        return run(
                FLATTEN.call()
                        .arg(handle)
                        .arg((long) shape().dim(from))
                        .arg((long) shape().dim(to)));
    }

    /**
     * Repeats dimensions of size 1 without copying.
     *
     * @param shape −1 leaves a size as it is
     */
    public Tensor expand(long... shape) {
        return run(EXPAND.call().arg(handle).ints(shape));
    }

    /** Returns the elements in row-major order; in this tensor's own memory if they are already. */
    public Tensor contiguous() {
        return unary(CONTIGUOUS);
    }

    /** Copies the tensor to memory of its own. */
    public Tensor copy() {
        return unary(CLONE);
    }

    /** Splits a dimension into equal parts (the last may be smaller), which share memory. */
    public List<Tensor> chunk(long parts, int dim) {
        return runAll(CHUNK.call().arg(handle).arg(parts).arg((long) shape().dim(dim)));
    }

    /** Splits a dimension into parts of given sizes, which share memory. */
    public List<Tensor> split(int dim, long... sizes) {
        if (Arrays.stream(sizes).sum() != size(dim)) {
            throw new IllegalArgumentException(
                    "split: "
                            + Arrays.toString(sizes)
                            + " does not add up to dimension "
                            + dim
                            + " of shape "
                            + shape());
        }
        return runAll(SPLIT.call().arg(handle).ints(sizes).arg((long) shape().dim(dim)));
    }

    /** Returns the slices along a dimension, without it; they share memory. */
    public List<Tensor> unbind(int dim) {
        return runAll(UNBIND.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /** Returns {@code length} slices from {@code start} along a dimension; shares memory. */
    public Tensor narrow(int dim, long start, long length) {
        if (start < 0 || length < 0 || start > size(dim) - length) {
            throw new IndexOutOfBoundsException(
                    "narrow: "
                            + length
                            + " from "
                            + start
                            + " is outside dimension "
                            + dim
                            + " of shape "
                            + shape());
        }
        return run(NARROW.call().arg(handle).arg((long) shape().dim(dim)).arg(start).arg(length));
    }

    /**
     * Returns one slice along a dimension, without it; shares memory.
     *
     * @param index from 0, or −1 for last
     */
    public Tensor select(int dim, long index) {
        long size = size(dim);
        if (index < -size || index >= size) {
            throw new IndexOutOfBoundsException(
                    "select: no index " + index + " in dimension " + dim + " of shape " + shape());
        }
        return run(SELECT.call().arg(handle).arg((long) shape().dim(dim)).arg(index));
    }

    /**
     * Selects slices along a dimension by their indices.
     *
     * @param indices integers {@code [n]}
     */
    public Tensor indexSelect(int dim, Tensor indices) {
        return run(
                INDEX_SELECT.call().arg(handle).arg((long) shape().dim(dim)).arg(indices.handle));
    }

    /**
     * Gathers elements along a dimension by their indices.
     *
     * @param indices int64, of this tensor's rank
     */
    public Tensor gather(int dim, Tensor indices) {
        return run(GATHER.call().arg(handle).arg((long) shape().dim(dim)).arg(indices.handle));
    }

    /** Tiles the tensor, so many times in each dimension. */
    public Tensor repeat(long... times) {
        if (times.length < rank()) {
            throw new IllegalArgumentException(
                    "repeat: "
                            + Arrays.toString(times)
                            + " has fewer dimensions than shape "
                            + shape());
        }
        return run(REPEAT.call().arg(handle).ints(times));
    }

    /** Repeats each slice along a dimension, so many times in a row. */
    public Tensor repeatInterleave(long times, int dim) {
        return run(REPEAT_INTERLEAVE.call().arg(handle).arg(times).arg((long) shape().dim(dim)));
    }

    /** Reverses the order along dimensions. */
    public Tensor flip(int... dims) {
        return run(FLIP.call().arg(handle).ints(dims(dims)));
    }

    /** Returns the same bytes read as another type; shares memory. */
    public Tensor viewAs(DType dtype) {
        return run(VIEW_DTYPE.call().arg(handle).arg(dtype.code()));
    }

    /** Keeps the elements on and below a diagonal of the last two dimensions; zeros elsewhere. */
    public Tensor lowerTriangle(long diagonal) {
        return run(TRIL.call().arg(handle).arg(diagonal));
    }

    /** Keeps the elements on and above a diagonal of the last two dimensions; zeros elsewhere. */
    public Tensor upperTriangle(long diagonal) {
        return run(TRIU.call().arg(handle).arg(diagonal));
    }

    /** Casts the elements to another type; in this tensor's own memory if they have it already. */
    public Tensor to(DType dtype) {
        return run(TO.call().arg(handle).arg(dtype.code()));
    }

    /** Moves the tensor to another device; in its own memory if it is there already. */
    public Tensor to(Device device) {
        return run(TO.call().arg(handle).none().none().device(device.code()));
    }
}
