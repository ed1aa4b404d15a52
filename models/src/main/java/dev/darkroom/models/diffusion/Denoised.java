package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/**
 * The estimate of a {@link Denoiser}.
 *
 * @param x0 the estimated data x̂0 {@code [N,C,…]}
 * @param epsilon the estimated noise, where it is not simply what is left of x without x0 (because
 *     x0 was clipped afterwards, or too little is left of x); null otherwise
 * @param variance the network's output for the variance, where it has one
 * @param unconditional x̂0 without the condition {@code [N,C,…]}, where guidance led away from it;
 *     null otherwise
 */
public record Denoised(
        Tensor x0,
        @Nullable Tensor epsilon,
        @Nullable Tensor variance,
        @Nullable Tensor unconditional) {
    public Denoised(Tensor x0) {
        this(x0, null, null);
    }

    /** An estimate of which no other without the condition is known. */
    public Denoised(Tensor x0, @Nullable Tensor epsilon, @Nullable Tensor variance) {
        this(x0, epsilon, variance, null);
    }

    /**
     * The estimated noise.
     *
     * @param x the latents that were denoised
     * @param at their level
     */
    public Tensor noise(Tensor x, NoiseLevel at) {
        return epsilon != null ? epsilon : remainder(x, at);
    }

    /** The noise that x holds if x0 is the data: (x − alpha·x0) / sigma. */
    Tensor remainder(Tensor x, NoiseLevel at) {
        return x.plus(x0, -at.alpha()).dividedBy(at.sigma());
    }

    /**
     * The score ∇ log p(x) = (alpha·x̂0 − x)/sigma² (Tweedie's formula: Efron 2011; Song et al.
     * 2021, arXiv:2011.13456, equation 29), which is −ε̂/sigma.
     *
     * @param x the latents that were denoised
     * @param at their level, with noise
     */
    public Tensor score(Tensor x, NoiseLevel at) {
        return x.plus(x0, -at.alpha()).dividedBy(-at.sigma() * at.sigma());
    }

    /**
     * The estimate that a score stands for: the inverse of {@link #score}.
     *
     * @param score {@code [N,C,…]}
     * @param x the latents {@code [N,C,…]}
     * @param at their level, with data
     */
    public static Denoised ofScore(Tensor score, Tensor x, NoiseLevel at) {
        return new Denoised(x.plus(score, at.sigma() * at.sigma()).dividedBy(at.alpha()));
    }

    /** dx/dσ of the probability-flow ODE at levels that are straight: (x − x̂0) / sigma. */
    Tensor slope(Tensor x, NoiseLevel at) {
        return x.minus(x0).dividedBy(at.sigma());
    }

    /** The parts of a batch, all of the same size, one after another. */
    List<Denoised> split(int parts) {
        List<Tensor> data = x0.chunk(parts, 0);
        List<Denoised> split = new ArrayList<>(parts);
        for (int i = 0; i < parts; i++) {
            split.add(new Denoised(data.get(i), part(epsilon, i, parts), part(variance, i, parts)));
        }
        return split;
    }

    private static @Nullable Tensor part(@Nullable Tensor tensor, int i, int parts) {
        return tensor == null ? null : tensor.chunk(parts, 0).get(i);
    }
}
