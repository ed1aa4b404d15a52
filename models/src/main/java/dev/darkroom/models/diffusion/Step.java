package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/**
 * Where sampling stands after an evaluation of the denoiser. The tensors are closed when the
 * listener returns: copy what is to be kept.
 *
 * @param index which evaluation, from 0
 * @param of how many there are
 * @param level where the denoiser was asked
 * @param latents after this step {@code [N,C,…]}
 * @param denoised x̂0 as the sampler used it {@code [N,C,…]}
 */
public record Step(int index, int of, NoiseLevel level, Tensor latents, Tensor denoised) {}
