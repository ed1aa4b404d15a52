/**
 * What networks are trained to: each objective is the equation of its paper, from a batch of data
 * to a scalar.
 *
 * <p>Shapes: N batch, C channels; {@code […]} any number of dimensions.
 */
@NullMarked
package dev.darkroom.training.objective;

import org.jspecify.annotations.NullMarked;
