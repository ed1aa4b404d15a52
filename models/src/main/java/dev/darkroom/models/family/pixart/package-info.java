/**
 * The PixArt transformers (Chen et al. 2023, 2024).
 *
 * <p>Shapes: N batch, C channels, H height and W width of the latents, T tokens (patches of the
 * latents), D width of a token, L text length, E width of the text encoder's tokens.
 */
@NullMarked
package dev.darkroom.models.family.pixart;

import org.jspecify.annotations.NullMarked;
