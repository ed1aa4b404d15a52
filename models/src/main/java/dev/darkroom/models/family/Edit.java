package dev.darkroom.models.family;

import org.jspecify.annotations.Nullable;

/**
 * A picture that is there, and what becomes of it: all of it is made anew a little (SDEdit: Meng et
 * al. 2022, arXiv:2108.01073), or a part of it, or an upscaler makes it larger.
 *
 * @param picture of three channels
 * @param mask of one channel, as large as the picture: what is at least ½ is made anew, the rest is
 *     kept; null for all
 * @param strength the share of the steps that is taken, above 0 and at most 1: with 1 nothing is
 *     left of what is made anew; null for the {@linkplain TaskDefaults family's}
 * @param noiseLevel how much noise an upscaler puts on the picture before it looks at it, a
 *     timestep of its {@link NoiseAugmentation}: the more, the freer is what it makes; null for its
 *     own
 */
public record Edit(
        Image picture,
        @Nullable Image mask,
        @Nullable Double strength,
        @Nullable Integer noiseLevel) {
    /**
     * Checks what can be checked without a model.
     *
     * @throws IllegalArgumentException if a number is out of range, or the mask has another size
     *     than the picture
     */
    public Edit {
        if (strength != null) {
            requireStrength(strength);
        }
        if (noiseLevel != null && noiseLevel < 0) {
            throw new IllegalArgumentException(
                    "the level of noise must not be negative, but is " + noiseLevel);
        }
        if (picture.channels() == 1) {
            throw new IllegalArgumentException("a picture has three channels; one is a mask");
        }
        if (mask != null && mask.channels() != 1) {
            throw new IllegalArgumentException("a mask has one channel, not " + mask.channels());
        }
        if (mask != null && !mask.size().equals(picture.size())) {
            throw new IllegalArgumentException(
                    "the mask is "
                            + mask.size()
                            + ", but the picture "
                            + picture.size()
                            + "; make them the same size");
        }
    }

    /** A picture of which all is made anew, or the part in a mask, with the family's strength. */
    public Edit(Image picture, @Nullable Image mask) {
        this(picture, mask, null, null);
    }

    /** A picture of which all is made anew, or the part in a mask. */
    public Edit(Image picture, @Nullable Image mask, double strength) {
        this(picture, mask, strength, null);
    }

    static void requireStrength(double strength) {
        if (!(strength > 0 && strength <= 1)) {
            throw new IllegalArgumentException(
                    "strength must be above 0 and at most 1, not " + strength);
        }
    }
}
