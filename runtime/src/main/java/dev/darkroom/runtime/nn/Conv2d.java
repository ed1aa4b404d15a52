package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

/**
 * Convolution in two dimensions with a square kernel. Keys: {@code weight [out,in,kernel,kernel]},
 * {@code bias [out]}.
 */
public final class Conv2d extends Module {
    private final Parameter weight;
    private final @Nullable Parameter bias;
    private final long stride;
    private final long padding;

    /** Declares a convolution with a bias and stride 1. */
    public Conv2d(Weights w, long in, long out, long kernel, long padding) {
        this(w, in, out, kernel, 1, padding, true);
    }

    /**
     * Declares a convolution.
     *
     * @param padding zeros added on each side, in pixels
     */
    public Conv2d(
            Weights w, long in, long out, long kernel, long stride, long padding, boolean bias) {
        this(w, in, out, kernel, stride, padding, bias, Init.fanIn(in * kernel * kernel));
    }

    /** Declares a convolution whose weight is initialised in a way of its own. */
    public Conv2d(
            Weights w,
            long in,
            long out,
            long kernel,
            long stride,
            long padding,
            boolean bias,
            Init init) {
        super(w);
        weight = w.parameter("weight", Shape.of(out, in, kernel, kernel), init);
        this.bias = bias ? w.parameter("bias", Shape.of(out), Init.ZEROS) : null;
        this.stride = stride;
        this.padding = padding;
    }

    /**
     * Applies the layer.
     *
     * @param x {@code [N,in,H,W]}
     * @return {@code [N,out,H',W']} with H' = ⌊(H + 2 padding − kernel) / stride⌋ + 1
     */
    public Tensor forward(Tensor x) {
        return Ops.conv2d(x, weight.value(), Parameter.valueOf(bias), stride, padding, 1);
    }

    /** Returns the weight {@code [out,in,kernel,kernel]}. */
    public Parameter weight() {
        return weight;
    }

    /** Returns the bias {@code [out]}, or null if there is none. */
    public @Nullable Parameter bias() {
        return bias;
    }
}
