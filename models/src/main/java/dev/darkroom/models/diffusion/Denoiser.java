package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/** Estimates the data under the noise. */
@FunctionalInterface
public interface Denoiser {
    /**
     * The expected data, given noisy latents.
     *
     * @param x latents {@code [N,C,…]}
     * @param at the level of their noise, sigma &gt; 0
     */
    Denoised denoise(Tensor x, NoiseLevel at);

    /**
     * This denoiser for steps that end at a level: of a {@link FlowMapNetwork}, x̂0 lies where the
     * average velocity from the latents' level to that one leads.
     *
     * @throws IllegalArgumentException if it can't be told where a step ends
     */
    default Denoiser towards(NoiseLevel end) {
        throw new IllegalArgumentException(
                "this denoiser can't be told where a step ends, here at "
                        + end
                        + "; choose another sampler than flow-map");
    }
}
