/**
 * The T5 text encoder (Raffel et al. 2020).
 *
 * <p>Shapes: N batch, L text length, D width of a token ({@code d_model}).
 */
@NullMarked
package dev.darkroom.models.t5;

import org.jspecify.annotations.NullMarked;
