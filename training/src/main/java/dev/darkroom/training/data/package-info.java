/**
 * What networks are trained on: folders of pictures with captions, read ahead of the step in an
 * order that only a seed and a number determine, and what frozen networks make of them, cached in
 * safetensors files.
 *
 * <p>Shapes: N batch, C channels, H and W height and width where they are (pixels or latents), L
 * text length, D width of a token.
 */
@NullMarked
package dev.darkroom.training.data;

import org.jspecify.annotations.NullMarked;
