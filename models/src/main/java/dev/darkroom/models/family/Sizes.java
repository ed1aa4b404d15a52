package dev.darkroom.models.family;

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
     * @throws IllegalArgumentException if the model makes no such picture
     */
    Chosen choose(RequestedSize requested);
}
