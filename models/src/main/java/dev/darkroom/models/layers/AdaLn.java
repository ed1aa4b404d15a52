package dev.darkroom.models.layers;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;

import java.util.List;

/**
 * The modulation of a transformer block by a condition (adaLN-zero; Peebles and Xie 2023, section
 * 3.2): it shifts and scales the normalised tokens that go into attention and into the feed-forward
 * network, and gates what comes out. Each tensor is {@code [N,1,D]}, or {@code [1,1,D]} if all
 * pictures of the batch share the condition.
 */
public record AdaLn(
        Tensor attnShift,
        Tensor attnScale,
        Tensor attnGate,
        Tensor mlpShift,
        Tensor mlpScale,
        Tensor mlpGate) {
    /**
     * Splits a layer's output into the six parts.
     *
     * @param modulation {@code [N,6,D]}
     */
    public static AdaLn split(Tensor modulation) {
        List<Tensor> parts = modulation.chunk(6, 1);
        return new AdaLn(
                parts.get(0), parts.get(1), parts.get(2), parts.get(3), parts.get(4), parts.get(5));
    }

    /** Returns the input of attention for the tokens {@code [N,T,D]}. */
    public Tensor attnIn(Tensor x, double eps) {
        return modulated(x, attnShift, attnScale, eps);
    }

    /** Adds the gated output of attention to the tokens. */
    public Tensor attnOut(Tensor x, Tensor attended) {
        return x.plusProduct(attnGate, attended, 1);
    }

    /** Returns the input of the feed-forward network for the tokens {@code [N,T,D]}. */
    public Tensor mlpIn(Tensor x, double eps) {
        return modulated(x, mlpShift, mlpScale, eps);
    }

    /** Adds the gated output of the feed-forward network to the tokens. */
    public Tensor mlpOut(Tensor x, Tensor transformed) {
        return x.plusProduct(mlpGate, transformed, 1);
    }

    /**
     * Normalises the tokens, then scales and shifts them by a condition.
     *
     * @param x {@code [N,T,D]}
     * @param shift {@code [N,1,D]} or {@code [1,1,D]}
     * @param scale less 1; as shift
     * @return {@code [N,T,D]}
     */
    public static Tensor modulated(Tensor x, Tensor shift, Tensor scale, double eps) {
        Tensor factor = scale.plus(1);
        if (factor.size(0) == 1) { // one pass over the tokens instead of two
            return Ops.layerNorm(x, factor.flatten(0, 2), shift.flatten(0, 2), eps);
        }
        return shift.plusProduct(Ops.layerNorm(x, null, null, eps), factor, 1);
    }
}
