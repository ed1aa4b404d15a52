/**
 * Layers with weights, and how weights get into them.
 *
 * <p>A network is a tree of {@link dev.darkroom.runtime.nn.Module}s. Its constructors declare the
 * parameters under the names that they have in checkpoints; {@link dev.darkroom.runtime.nn.Weights}
 * then checks the names and shapes of all of them and fills them.
 *
 * <p>Shapes are written as in {@link dev.darkroom.runtime}; {@code [...]} stands for any number of
 * dimensions.
 */
@NullMarked
package dev.darkroom.runtime.nn;

import org.jspecify.annotations.NullMarked;
