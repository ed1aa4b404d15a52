package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.List;

/**
 * A sampler with its noise levels for a number of steps.
 *
 * <p>Latents are in the form of diffusers' class: variance exploding for the Euler and Heun
 * schedulers, variance preserving for the others, and flow matching's own.
 */
public final class SamplingPlan {
    /** A sampler of which all but the picture is known. */
    @FunctionalInterface
    interface Sampler {
        Tensor sample(Denoiser denoiser, Tensor x, NoiseSource noise, StepListener on);
    }

    private final List<NoiseLevel> evaluations;
    private final NoiseLevel end;
    private final double initialScale;
    private final Sampler sampler;

    SamplingPlan(
            List<NoiseLevel> evaluations, NoiseLevel end, double initialScale, Sampler sampler) {
        this.evaluations = List.copyOf(evaluations);
        this.end = end;
        this.initialScale = initialScale;
        this.sampler = sampler;
    }

    /**
     * The levels at which the denoiser is called, in order; their timesteps are diffusers' {@code
     * timesteps}.
     */
    public List<NoiseLevel> evaluations() {
        return evaluations;
    }

    /** The level of the result. */
    public NoiseLevel end() {
        return end;
    }

    /**
     * What standard normal noise is multiplied by to start from: diffusers' {@code
     * init_noise_sigma}.
     */
    public double initialScale() {
        return initialScale;
    }

    /**
     * Samples.
     *
     * @param denoiser called once for each of {@link #evaluations}, not yet clipped
     * @param x latents at the first level, such as noise times {@link #initialScale} {@code
     *     [N,C,…]}; left as they are
     * @param noise asked only by samplers that add noise
     * @return latents at the last level {@code [N,C,…]}, in the caller's scope
     */
    public Tensor sample(Denoiser denoiser, Tensor x, NoiseSource noise, StepListener on) {
        return sampler.sample(denoiser, x, noise, on);
    }
}
