/**
 * Parts that several networks are made of.
 *
 * <p>Shapes: N batch, C channels, H height, W width, p patch size, T tokens (patches of a picture),
 * L text length, D width of a token.
 */
@NullMarked
package dev.darkroom.models.layers;

import org.jspecify.annotations.NullMarked;
