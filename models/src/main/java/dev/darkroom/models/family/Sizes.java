package dev.darkroom.models.family;

import java.util.function.UnaryOperator;

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
     * The size for a picture that is made of another one, where a request leaves it open: the same,
     * or a smaller one nearby that the model makes.
     */
    default Size nearest(Size picture) {
        return picture;
    }

    /**
     * Any size in whole multiples, sampled as it is.
     *
     * @param own height and width where a request leaves them open
     */
    static Sizes inMultiplesOf(int multiple, int own) {
        return inMultiplesOf(multiple, new Size(own, own));
    }

    /**
     * Any size in whole multiples, sampled as it is.
     *
     * @param own where a request leaves height or width open
     */
    static Sizes inMultiplesOf(int multiple, Size own) {
        return rounding(
                size -> multiples(size, multiple),
                requested -> {
                    Size picture = requested.orElse(own);
                    requireMultiple(picture, multiple);
                    return new Chosen(picture, picture);
                });
    }

    /**
     * Pictures that are so many times as large as the one that they are made of, as diffusers'
     * upscaler takes that: in as many pixels, or a few less, that are whole multiples.
     *
     * @param factor of both, a side's
     * @param own height and width of the smaller one where nothing is said
     */
    static Sizes enlarged(int factor, int own) {
        UnaryOperator<Size> enlarged =
                size -> {
                    Size small = multiples(size, factor);
                    return new Size(small.height() * factor, small.width() * factor);
                };
        return rounding(
                enlarged, inMultiplesOf(factor * factor, enlarged.apply(new Size(own, own))));
    }

    /** The size in whole multiples that is not larger than another. */
    static Size multiples(Size size, int multiple) {
        return new Size(
                Math.max(1, size.height() / multiple) * multiple,
                Math.max(1, size.width() / multiple) * multiple);
    }

    /** Sizes with another {@link #nearest}. */
    static Sizes rounding(UnaryOperator<Size> nearest, Sizes sizes) {
        return new Sizes() {
            @Override
            public Chosen choose(RequestedSize requested) {
                return sizes.choose(requested);
            }

            @Override
            public Size nearest(Size picture) {
                return nearest.apply(picture);
            }
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
