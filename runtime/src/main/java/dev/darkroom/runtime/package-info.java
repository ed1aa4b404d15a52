/**
 * Tensors of libtorch, their memory, devices, random numbers and gradients.
 *
 * <p>Shapes are written {@code [N,C,H,W]}: N batch, C channels, H height, W width, T tokens, D
 * width of a token, L length of a text.
 */
@NullMarked
package dev.darkroom.runtime;

import org.jspecify.annotations.NullMarked;
