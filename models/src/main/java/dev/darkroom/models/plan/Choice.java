package dev.darkroom.models.plan;

import java.util.Objects;

/**
 * A way of running a checkpoint, and what it takes.
 *
 * @param variant the options
 * @param peakBytes the most memory that the whole process is estimated to hold
 * @param fits whether that is here now
 */
public record Choice(Variant variant, long peakBytes, boolean fits) {
    public Choice {
        Objects.requireNonNull(variant, "variant");
    }
}
