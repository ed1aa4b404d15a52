package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

/** x · weightᵀ + bias. Keys: {@code weight [out,in]}, {@code bias [out]}. */
public final class Linear extends Module {
    private final Parameter weight;
    private final @Nullable Parameter bias;

    /** A layer with or without a bias. */
    public Linear(Weights w, long in, long out, boolean bias) {
        this(w, in, out, bias, Init.fanIn(in));
    }

    /**
     * A layer whose weight begins in a way of its own, such as {@link Init#ZEROS} for the last
     * layer of a residual branch.
     */
    public Linear(Weights w, long in, long out, boolean bias, Init init) {
        super(w);
        weight = w.parameter("weight", Shape.of(out, in), init);
        this.bias = bias ? w.parameter("bias", Shape.of(out), Init.ZEROS) : null;
    }

    /**
     * Applies the layer.
     *
     * @param x {@code [...,in]}
     * @return {@code [...,out]}
     */
    public Tensor forward(Tensor x) {
        return Ops.linear(x, weight.value(), Parameter.valueOf(bias));
    }

    /** {@code [out,in]}. */
    public Parameter weight() {
        return weight;
    }

    /** {@code [out]}, or null. */
    public @Nullable Parameter bias() {
        return bias;
    }
}
