package dev.darkroom.models.plan;

import org.jspecify.annotations.Nullable;

/**
 * A stage of a run.
 *
 * @param kind what is done
 * @param part that is loaded; null for the other kinds
 * @param neededBytes the most memory that the whole process is estimated to need meanwhile
 * @param peakBytes the same with the files that are read to make other weights of them; the system
 *     takes that memory back when it is short of it
 * @param seconds that it is estimated to take; 0 for loading, which is mostly reading files
 */
public record Stage(
        Kind kind, @Nullable String part, long neededBytes, long peakBytes, double seconds) {
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
