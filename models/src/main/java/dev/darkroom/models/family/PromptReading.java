package dev.darkroom.models.family;

import java.util.Objects;

/**
 * How prompts are read by families whose text encoder is CLIP.
 *
 * @param syntax whether brackets are text, or weigh what is in them
 * @param inChunks whether a text that is longer than the encoder reads is encoded in chunks, and
 *     not cut
 */
public record PromptReading(PromptSyntax syntax, boolean inChunks) {
    /** As diffusers' pipelines read prompts: brackets are text, and long texts are cut. */
    public static final PromptReading PLAIN = new PromptReading(PromptSyntax.PLAIN, false);

    /** Checks the value. */
    public PromptReading {
        Objects.requireNonNull(syntax, "syntax");
    }
}
