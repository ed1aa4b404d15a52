package dev.darkroom.models.family;

import org.jspecify.annotations.Nullable;

import java.util.Objects;

/**
 * The size of a picture as it was asked for.
 *
 * @param width in pixels, 8 to 16384; null for the model's own
 * @param height in pixels, 8 to 16384; null for the model's own
 * @param binning whether the size may be moved to the nearest one that the network was trained on,
 *     and the picture scaled and cropped back, where the model's reference pipeline does that
 */
public record RequestedSize(@Nullable Integer width, @Nullable Integer height, boolean binning) {
    private static final int LEAST = 8;
    private static final int GREATEST = 16384;

    /**
     * Checks what can be checked without a model.
     *
     * @throws IllegalArgumentException if a number is out of range
     */
    public RequestedSize {
        require("width", width);
        require("height", height);
    }

    /**
     * The size, with height and width where it leaves them open.
     *
     * @param own of the model, in pixels
     */
    public Size orElse(int own) {
        return orElse(new Size(own, own));
    }

    /** The size, with the height and the width of the model where it leaves them open. */
    public Size orElse(Size own) {
        return new Size(
                Objects.requireNonNullElse(height, own.height()),
                Objects.requireNonNullElse(width, own.width()));
    }

    private static void require(String what, @Nullable Integer pixels) {
        if (pixels != null && (pixels < LEAST || pixels > GREATEST)) {
            throw new IllegalArgumentException(
                    what + " must be " + LEAST + " to " + GREATEST + " pixels, not " + pixels);
        }
    }
}
