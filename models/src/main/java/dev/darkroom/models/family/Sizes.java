package dev.darkroom.models.family;

import org.jspecify.annotations.Nullable;

/** Which sizes a model makes pictures of. */
@FunctionalInterface
public interface Sizes {
    /**
     * A size as it was asked for and as it is sampled.
     *
     * @param picture what comes out
     * @param sampled what is sampled, then scaled to cover {@code picture} and cut
     */
    record Chosen(Size picture, Size sampled) {}

    /**
     * Chooses the sizes for a request.
     *
     * @param width in pixels; null for the model's own
     * @param height in pixels; null for the model's own
     * @param binning whether the size may be moved to one that the network was trained on
     * @throws IllegalArgumentException if the model makes no such picture
     */
    Chosen choose(@Nullable Integer width, @Nullable Integer height, boolean binning);
}
