package dev.darkroom.models.family;

/**
 * The sizes that Stable Diffusion XL's network is conditioned on (Podell et al. 2023,
 * arXiv:2307.01952, section 2.2): a picture of a small original looks blurred, a crop is cut off.
 *
 * @param original of the picture before it was scaled
 * @param cropTop rows that were cut off at the top
 * @param cropLeft columns that were cut off at the left
 * @param target of the picture that is made
 */
public record SizeCondition(Size original, int cropTop, int cropLeft, Size target) {
    private static final int MOST = 1 << 20;

    /**
     * Checks the numbers.
     *
     * @throws IllegalArgumentException if one is negative or beyond any picture's
     */
    public SizeCondition {
        require("original height", original.height());
        require("original width", original.width());
        require("crop from the top", cropTop);
        require("crop from the left", cropLeft);
        require("target height", target.height());
        require("target width", target.width());
    }

    private static void require(String what, int pixels) {
        if (pixels < 0 || pixels > MOST) {
            throw new IllegalArgumentException(
                    "the " + what + " must be 0 to " + MOST + " pixels, not " + pixels);
        }
    }

    /** A picture that was neither scaled nor cropped. */
    public static SizeCondition of(Size picture) {
        return new SizeCondition(picture, 0, 0, picture);
    }
}
