/**
 * Guidances beside {@link dev.darkroom.models.diffusion.ClassifierFree}, each a small class with
 * its paper, and their names. N is the batch, C channels.
 */
@NullMarked
package dev.darkroom.models.diffusion.guidance;

import org.jspecify.annotations.NullMarked;
