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
}
