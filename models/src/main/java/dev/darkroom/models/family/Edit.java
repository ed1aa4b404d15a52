package dev.darkroom.models.family;

import org.jspecify.annotations.Nullable;

/**
 * A picture that is there, and how much of it is made anew: all of it a little (SDEdit: Meng et al.
 * 2022, arXiv:2108.01073), or a part.
 *
 * @param picture of three channels
 * @param mask of one channel, as large as the picture: what is at least ½ is made anew, the rest is
 *     kept; null for all
 * @param strength the share of the steps that is taken, above 0 and at most 1: with 1 nothing is
 *     left of what is made anew
 */
public record Edit(Image picture, @Nullable Image mask, double strength) {
    /**
     * Checks what can be checked without a model.
     *
     * @throws IllegalArgumentException if the strength is out of range, or the mask has another
     *     size than the picture
     */
    public Edit {
        if (!(strength > 0 && strength <= 1)) {
            throw new IllegalArgumentException(
                    "strength must be above 0 and at most 1, not " + strength);
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
}
