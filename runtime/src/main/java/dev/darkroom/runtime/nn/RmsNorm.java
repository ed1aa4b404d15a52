package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

/**
 * Divides by the root of the mean square over the last dimension, then scales (Zhang and Sennrich
 * 2019, "Root Mean Square Layer Normalization"). The mean is taken in float32, as T5 and diffusers
 * do. Key: {@code weight [D]}.
 */
public final class RmsNorm extends Module {
    private final Parameter weight;
    private final double eps;

    /** Declares a norm of the last dimension. */
    public RmsNorm(Weights w, long width, double eps) {
        super(w);
        weight = w.parameter("weight", Shape.of(width), Init.ONES);
        this.eps = eps;
    }

    /**
     * Applies the norm.
     *
     * @param x {@code [...,D]}
     * @return {@code [...,D]}, of the weight's type where that is a half type, else of x's
     */
    public Tensor forward(Tensor x) {
        try (var scope = TensorScope.open()) {
            Tensor scale = weight.value();
            var meanSquare = x.to(DType.FLOAT32).square().mean(true, -1); // [...,1]
            var normed = x.times(meanSquare.plus(eps).rsqrt()); // float32
            // Rounded before scaling, as the reference does, so that half types agree with it.
            boolean half = scale.dtype() == DType.FLOAT16 || scale.dtype() == DType.BFLOAT16;
            return scope.keep(scale.times(half ? normed.to(scale.dtype()) : normed));
        }
    }
}
