package dev.darkroom.cli;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Option;

/** How a request is fitted to what a checkpoint was trained with. */
final class FittingOptions {
    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            description = "Text length; what is longer is cut.")
    private @Nullable Integer maxTokens;

    @Option(
            names = "--no-binning",
            description =
                    "Sample the exact size; by default, a checkpoint that was trained on certain"
                            + " sizes samples the nearest one, which is then scaled and cut.")
    private boolean exactSize;

    @Option(
            names = "--clip-skip",
            paramLabel = "N",
            description = "How many of the last layers of a CLIP text encoder the prompt skips.")
    private int clipSkip;

    /** Returns how many layers of a text encoder are left out. */
    int clipSkip() {
        return clipSkip;
    }

    /** Returns the text length; null for the checkpoint's own. */
    @Nullable Integer maxTokens() {
        return maxTokens;
    }

    /** Returns whether the nearest size is sampled that the checkpoint was trained on. */
    boolean binning() {
        return !exactSize;
    }
}
