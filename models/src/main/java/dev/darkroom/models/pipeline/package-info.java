/**
 * From a checkpoint folder and a request to pictures.
 *
 * <p>Shapes: N pictures, C channels, H and W height and width (of latents or of pictures), L length
 * of a text in tokens, D width of a token.
 */
@NullMarked
package dev.darkroom.models.pipeline;

import org.jspecify.annotations.NullMarked;
