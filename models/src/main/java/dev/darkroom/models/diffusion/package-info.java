/**
 * Diffusion apart from any network, in three rings: a {@link dev.darkroom.models.diffusion.Network}
 * predicts; a {@link dev.darkroom.models.diffusion.Denoiser} turns that into x̂0; a {@link
 * dev.darkroom.models.diffusion.Solver} moves along noise levels. Guidance, clipping and the
 * boundary condition of consistency models wrap denoisers, so that every solver serves every
 * network. {@code dev.darkroom.models.diffusion.diffusers} reads all of it from a checkpoint's
 * {@code scheduler_config.json}.
 *
 * <p>Everywhere x = alpha·x0 + sigma·ε with ε standard normal ({@link
 * dev.darkroom.models.diffusion.NoiseLevel}). Three families of levels occur: variance preserving
 * (alpha² + sigma² = 1), variance exploding (alpha = 1) and flow matching (alpha = 1 − sigma).
 *
 * <p>Rounding follows diffusers as far as it can be seen in a picture: tables over the training
 * timesteps (betas, their cumulative products, sigmas) are float32 as PyTorch computes them; noise
 * levels come from these tables and are rounded to float32 where diffusers stores them so;
 * timesteps are exactly diffusers'. Coefficients of a step are double here where diffusers has
 * float32.
 *
 * <p>Shapes: N batch, C channels, H height, W width.
 */
@NullMarked
package dev.darkroom.models.diffusion;

import org.jspecify.annotations.NullMarked;
