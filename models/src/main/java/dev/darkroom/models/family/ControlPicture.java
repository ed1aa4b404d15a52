package dev.darkroom.models.family;

import java.util.Objects;

/**
 * A picture that a ControlNet steers sampling by (Zhang et al. 2023, arXiv:2302.05543), such as
 * edges, depth or a pose, and how much.
 *
 * @param picture of three channels, scaled to the size that is sampled, whatever becomes of its
 *     ratio
 * @param scale what the net's residuals are multiplied by: diffusers' {@code
 *     controlnet_conditioning_scale}
 * @param start the share of the evaluations before the net acts, from 0 to below 1: diffusers'
 *     {@code control_guidance_start}
 * @param end the share after which it does not, above {@code start} to 1: {@code
 *     control_guidance_end}
 * @param guess whether the net acts under the condition alone, and less at higher resolutions, so
 *     that it guesses what to draw where the prompt does not say it: {@code guess_mode}
 */
public record ControlPicture(Image picture, double scale, double start, double end, boolean guess) {
    /**
     * Checks the values.
     *
     * @throws IllegalArgumentException if a number is out of range, or the picture has one channel
     */
    public ControlPicture {
        if (picture.channels() == 1) {
            throw new IllegalArgumentException("a control picture has three channels, not one");
        }
        if (!Double.isFinite(scale)) {
            throw new IllegalArgumentException("a control's scale is a number, not " + scale);
        }
        if (!(start >= 0 && end <= 1 && start < end)) {
            throw new IllegalArgumentException(
                    "a control acts from a share of the steps, at least 0, to a greater one, at"
                            + " most 1, not from "
                            + start
                            + " to "
                            + end);
        }
    }

    /** A picture that steers all steps, with scale 1. */
    public static ControlPicture of(Image picture) {
        return new ControlPicture(Objects.requireNonNull(picture, "picture"), 1, 0, 1, false);
    }

    /** Returns this with another scale. */
    public ControlPicture withScale(double scale) {
        return new ControlPicture(picture, scale, start, end, guess);
    }

    /** Returns this in a share of the steps. */
    public ControlPicture between(double start, double end) {
        return new ControlPicture(picture, scale, start, end, guess);
    }

    /** Returns this in guess mode, or not. */
    public ControlPicture withGuess(boolean guess) {
        return new ControlPicture(picture, scale, start, end, guess);
    }

    /**
     * Returns the scale in an evaluation, as in diffusers: 0 where the net is off.
     *
     * @param evaluation from 0
     * @param of how many there are
     */
    public double scaleIn(int evaluation, int of) {
        boolean early = (double) evaluation / of < start;
        boolean late = (double) (evaluation + 1) / of > end;
        return early || late ? 0 : scale;
    }
}
