/**
 * The autoencoder between images and latents.
 *
 * <p>Shapes: N batch, C channels, H and W height and width where they are (pixels or latents), T
 * positions in reading order.
 */
@NullMarked
package dev.darkroom.models.vae;

import org.jspecify.annotations.NullMarked;
