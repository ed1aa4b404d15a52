package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

/**
 * Normalises the last dimension to mean 0 and variance 1, then scales and shifts it (Ba et al.
 * 2016, "Layer Normalization"). Keys, where affine: {@code weight [D]}, {@code bias [D]}.
 */
public final class LayerNorm extends Module {
    private final @Nullable Parameter weight;
    private final @Nullable Parameter bias;
    private final double eps;

    /**
     * Declares a norm of the last dimension.
     *
     * @param affine whether it scales and shifts
     */
    public LayerNorm(Weights w, long width, double eps, boolean affine) {
        super(w);
        weight = affine ? w.parameter("weight", Shape.of(width), Init.ONES) : null;
        bias = affine ? w.parameter("bias", Shape.of(width), Init.ZEROS) : null;
        this.eps = eps;
    }

    /**
     * Applies the norm.
     *
     * @param x {@code [...,D]}
     * @return {@code [...,D]}
     */
    public Tensor forward(Tensor x) {
        return Ops.layerNorm(x, Parameter.valueOf(weight), Parameter.valueOf(bias), eps);
    }
}
