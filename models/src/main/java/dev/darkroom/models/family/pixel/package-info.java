/**
 * Diffusion of pixels: unconditional DDPM (Ho et al. 2020, arXiv:2006.11239) and consistency models
 * of classes (Song et al. 2023, arXiv:2303.01469), which share one U-Net.
 *
 * <p>Shapes: N batch, C channels, H and W height and width, T positions.
 */
@NullMarked
package dev.darkroom.models.family.pixel;

import org.jspecify.annotations.NullMarked;
