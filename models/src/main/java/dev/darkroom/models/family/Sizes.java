package dev.darkroom.models.family;

import java.util.Objects;

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

    /**
     * Any size in whole multiples, sampled as it is.
     *
     * @param own height and width where a request leaves them open
     */
    static Sizes inMultiplesOf(int multiple, int own) {
        return requested -> {
            var picture =
                    new Size(
                            Objects.requireNonNullElse(requested.height(), own),
                            Objects.requireNonNullElse(requested.width(), own));
            requireMultiple(picture, multiple);
            return new Chosen(picture, picture);
        };
    }

    /**
     * Refuses a size that is not in whole multiples.
     *
     * @throws IllegalArgumentException if height or width is none
     */
    static void requireMultiple(Size sampled, int multiple) {
        if (sampled.height() % multiple != 0 || sampled.width() % multiple != 0) {
            throw new IllegalArgumentException(
                    "width and height must be multiples of "
                            + multiple
                            + " for this checkpoint, not "
                            + sampled);
        }
    }
}
