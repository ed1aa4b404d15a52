/**
 * The diffusion transformer that is conditioned on classes (Peebles and Xie 2023).
 *
 * <p>Shapes: N batch, C channels, H height and W width of the latents, T tokens (patches of the
 * latents), D width of a token.
 */
@NullMarked
package dev.darkroom.models.family.dit;

import org.jspecify.annotations.NullMarked;
