package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/**
 * How a network's input and output relate to x, x0 and ε at a noise level (Karras et al. 2022,
 * arXiv:2206.00364, equation 7). The usual ones are the {@link Prediction}s.
 */
public interface Preconditioning {
    /** The scale of latents, by which they are divided before the network sees them. */
    double scale(NoiseLevel at);

    /**
     * The data x̂0 that a network's output stands for.
     *
     * @param output {@code [N,C,…]}
     * @param x the latents that the network was shown, before division by {@link #scale} {@code
     *     [N,C,…]}
     * @throws IllegalArgumentException if this kind of output says nothing about x0 at the level
     */
    Tensor denoised(Tensor output, Tensor x, NoiseLevel at);

    /** The output that would stand for x0: the inverse of {@link #denoised}. */
    Tensor output(Tensor x0, Tensor x, NoiseLevel at);

    /**
     * The noise ε̂ that a network's output stands for, also where x is clean.
     *
     * @param output {@code [N,C,…]}
     * @param x as for {@link #denoised}
     */
    default Tensor noise(Tensor output, Tensor x, NoiseLevel at) {
        return new Denoised(denoised(output, x, at)).remainder(x, at);
    }

    /**
     * Whether ε̂ is to be {@link #noise}, and not what is left of x without x̂0: a small difference
     * of large numbers where there is little noise.
     */
    default boolean tellsNoise() {
        return false;
    }

    /** Whether the network learned a flow, whose levels have alpha + sigma = 1. */
    default boolean isFlow() {
        return false;
    }

    /** The same of a network whose output has the other sign. */
    default Preconditioning negated() {
        return new NegatedPreconditioning(this);
    }

    /**
     * That of a network which predicts the score ∇ log p(x): {@link Denoised#score}.
     *
     * @param scaled whether its output is −sigma times the score, which is the noise
     */
    static Preconditioning score(boolean scaled) {
        return new ScorePreconditioning(scaled);
    }

    /**
     * That of EDM: {@link EdmPreconditioning}.
     *
     * @param deviation σ_data
     */
    static Preconditioning edm(double deviation) {
        return new EdmPreconditioning(deviation);
    }
}
