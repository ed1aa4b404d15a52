package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

/** x · weightᵀ + bias. Keys: {@code weight [out,in]}, {@code bias [out]}. */
public final class Linear extends Module {
    private final Parameter weight;
    private final @Nullable Parameter bias;
    private @Nullable Adapter adapter;

    /** Something learned beside a layer whose weight stays as it is, such as LoRA's. */
    @FunctionalInterface
    public interface Adapter {
        /**
         * Changes what the layer found.
         *
         * @param x the layer's input {@code [...,in]}
         * @param y its output {@code [...,out]}
         * @return {@code [...,out]}
         */
        Tensor adapt(Tensor x, Tensor y);
    }

    /** A layer with or without a bias. */
    public Linear(Weights w, long in, long out, boolean bias) {
        this(w, in, out, bias, Init.fanIn(in));
    }

    /** A layer that begins with the spread of PyTorch's, {@link Init#linear}. */
    public static Linear asInPyTorch(Weights w, long in, long out, boolean bias) {
        return new Linear(w, in, out, bias, Init.linear(in));
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
        Tensor y = Ops.linear(x, weight.value(), Parameter.valueOf(bias));
        Adapter current = adapter;
        return current == null ? y : current.adapt(x, y);
    }

    /** Sends every output through an adapter; null for none. It stays the caller's. */
    public void adapter(@Nullable Adapter adapter) {
        this.adapter = adapter;
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
