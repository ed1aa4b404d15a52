package dev.darkroom.models.family;

/** What brackets in a prompt mean. */
public enum PromptSyntax {
    /** They are text like any other. */
    PLAIN,

    /**
     * They weigh what is in them, as in AUTOMATIC1111's web UI: {@code (word:1.3)} weighs 1.3 times
     * as much, {@code (word)} 1.1 times, {@code [word]} 1/1.1 times, and nested ones multiply;
     * {@code \(} is a bracket as text. With {@linkplain PromptReading#inChunks chunks}, {@code
     * BREAK} begins another.
     */
    WEIGHTED
}
