/**
 * The text encoders of CLIP (Radford et al. 2021, arXiv:2103.00020).
 *
 * <p>Shapes: N batch, L text length, D width of a token, P width of the space that texts and
 * pictures share.
 */
@NullMarked
package dev.darkroom.models.clip;

import org.jspecify.annotations.NullMarked;
