/**
 * A classifier of noisy latents, which guides the embedded teacher. Shapes: N batch, C channels of
 * latents, h and w their size, K classes.
 */
@NullMarked
package dev.darkroom.recipe.classifier;

import org.jspecify.annotations.NullMarked;
