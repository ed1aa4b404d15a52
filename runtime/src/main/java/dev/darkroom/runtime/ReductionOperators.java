package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.CallFrame;
import dev.darkroom.runtime.internal.ffi.Operator;
import dev.darkroom.runtime.internal.ffi.TensorHandle;

import java.util.List;

/** The operators of a {@link Tensor} that go along dimensions: sums, extremes, norms, softmax. */
abstract sealed class ReductionOperators extends ShapeOperators permits ElementwiseOperators {
    ReductionOperators(TensorHandle handle) {
        super(handle);
    }

    private static final Operator SUM = Operator.of("sum", "");
    private static final Operator SUM_DIMS = Operator.of("sum", "dim_IntList");
    private static final Operator MEAN = Operator.of("mean", "");
    private static final Operator MEAN_DIMS = Operator.of("mean", "dim");
    private static final Operator VAR_DIMS = Operator.of("var", "correction");
    private static final Operator AMAX = Operator.of("amax", "");
    private static final Operator AMIN = Operator.of("amin", "");
    private static final Operator ARGMAX = Operator.of("argmax", "");
    private static final Operator CUMSUM = Operator.of("cumsum", "");
    private static final Operator CUMPROD = Operator.of("cumprod", "");
    private static final Operator ALL = Operator.of("all", "");
    private static final Operator ANY = Operator.of("any", "");
    private static final Operator NORM = Operator.of("linalg_vector_norm", "");
    private static final Operator LOGSUMEXP = Operator.of("logsumexp", "");
    private static final Operator SOFTMAX = Operator.of("softmax", "int");
    private static final Operator LOG_SOFTMAX = Operator.of("log_softmax", "int");
    private static final Operator SORT = Operator.of("sort", "");

    /**
     * Sums all elements.
     *
     * @return {@code []}
     */
    public Tensor sum() {
        return unary(SUM);
    }

    /**
     * Sums over dimensions.
     *
     * @param keep leaves them with size 1
     */
    public Tensor sum(boolean keep, int... dims) {
        return run(SUM_DIMS.call().arg(handle).ints(dims(dims)).arg(keep));
    }

    /**
     * Averages all elements.
     *
     * @return {@code []}
     */
    public Tensor mean() {
        return unary(MEAN);
    }

    /**
     * Averages over dimensions.
     *
     * @param keep leaves them with size 1
     */
    public Tensor mean(boolean keep, int... dims) {
        return run(MEAN_DIMS.call().arg(handle).ints(dims(dims)).arg(keep));
    }

    /**
     * Computes variances over dimensions.
     *
     * @param correction 1 for the sample's variance, 0 for the population's
     * @param keep leaves the dimensions with size 1
     */
    public Tensor variance(long correction, boolean keep, int... dims) {
        return run(VAR_DIMS.call().arg(handle).ints(dims(dims)).arg(correction).arg(keep));
    }

    /**
     * Returns the largest of all elements.
     *
     * @return {@code []}
     */
    public Tensor max() {
        return run(AMAX.call().arg(handle).ints());
    }

    /**
     * Returns the largest elements over dimensions.
     *
     * @param keep leaves them with size 1
     */
    public Tensor max(boolean keep, int... dims) {
        return run(AMAX.call().arg(handle).ints(dims(dims)).arg(keep));
    }

    /**
     * Returns the smallest of all elements.
     *
     * @return {@code []}
     */
    public Tensor min() {
        return run(AMIN.call().arg(handle).ints());
    }

    /**
     * Returns the smallest elements over dimensions.
     *
     * @param keep leaves them with size 1
     */
    public Tensor min(boolean keep, int... dims) {
        return run(AMIN.call().arg(handle).ints(dims(dims)).arg(keep));
    }

    /**
     * Returns the index of the largest element along a dimension.
     *
     * @return int64
     */
    public Tensor argmax(int dim) {
        return run(ARGMAX.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /** Computes cumulative sums along a dimension. */
    public Tensor cumsum(int dim) {
        return run(CUMSUM.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /** Computes cumulative products along a dimension. */
    public Tensor cumprod(int dim) {
        return run(CUMPROD.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /**
     * Returns whether all elements are true or not zero.
     *
     * @return bool {@code []}
     */
    public Tensor all() {
        return unary(ALL);
    }

    /**
     * Returns whether any element is true or not zero.
     *
     * @return bool {@code []}
     */
    public Tensor any() {
        return unary(ANY);
    }

    /** Computes the Euclidean norm over dimensions; over all if none is given. */
    public Tensor norm(boolean keep, int... dims) {
        CallFrame call = NORM.call().arg(handle).arg(2.0);
        return run((dims.length == 0 ? call.none() : call.ints(dims(dims))).arg(keep));
    }

    /** Computes log Σ exp(x) over dimensions. */
    public Tensor logSumExp(boolean keep, int... dims) {
        return run(LOGSUMEXP.call().arg(handle).ints(dims(dims)).arg(keep));
    }

    /** Computes exp(x) / Σ exp(x) along a dimension. */
    public Tensor softmax(int dim) {
        return run(SOFTMAX.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /** Computes the logarithm of {@link #softmax}. */
    public Tensor logSoftmax(int dim) {
        return run(LOG_SOFTMAX.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /** Sorts along a dimension, and returns the sorted values and their former indices. */
    public List<Tensor> sort(int dim, boolean descending) {
        return runAll(SORT.call().arg(handle).arg((long) shape().dim(dim)).arg(descending));
    }
}
