/**
 * The U-Nets of latent diffusion (Rombach et al. 2022, arXiv:2112.10752) and the ControlNets that
 * steer them (Zhang et al. 2023, arXiv:2302.05543), in diffusers' layout.
 *
 * <p>Shapes: N batch, C channels, H height and W width of the latents or of a block's features, T
 * positions in reading order, L text length, E width of the text.
 */
@NullMarked
package dev.darkroom.models.unet;

import org.jspecify.annotations.NullMarked;
