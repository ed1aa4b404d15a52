package dev.darkroom.models.plan;

import org.jspecify.annotations.Nullable;

/**
 * A stage of a run.
 *
 * @param kind what is done
 * @param part that is loaded; null for the other kinds
 * @param peakBytes the most memory that the whole process is estimated to hold meanwhile
 * @param seconds that it is estimated to take; 0 for loading, which is mostly reading files
 */
public record Stage(Kind kind, @Nullable String part, long peakBytes, double seconds) {
    /** What a stage does. */
    public enum Kind {
        /** A part's weights are loaded. */
        LOAD,
        /** What is asked for becomes conditions. */
        ENCODE,
        /** The network is evaluated in all steps, with guidance. */
        DENOISE,
        /** Latents become pictures. */
        DECODE
    }
}
