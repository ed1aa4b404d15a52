package dev.darkroom.models.plan;

import java.util.Objects;

/**
 * A way of running a checkpoint, and what it takes.
 *
 * @param variant the options
 * @param neededBytes the most memory that the whole process is estimated to need
 * @param fits whether that is here now
 */
public record Choice(Variant variant, long neededBytes, boolean fits) {
    public Choice {
        Objects.requireNonNull(variant, "variant");
    }
}
