package dev.darkroom.cli;

import dev.darkroom.models.pipeline.EmbeddedModel;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Option;

import java.io.IOException;

/** Which checkpoint is sampled. */
final class CheckpointOptions {
    @Option(
            names = "--model",
            paramLabel = "MODEL",
            description =
                    "A checkpoint folder, the one that holds model_index.json; or "
                            + CacheFlags.NAME
                            + ", the name of a model on a hub, which is downloaded unless it is in"
                            + " the cache; or a .safetensors file. Without it, the model that comes"
                            + " with Darkroom: icons of 128×128.")
    private @Nullable String model;

    @Option(
            names = "--quality",
            description =
                    "Darkroom's own model with 20 guided steps instead of the 4 of its student.")
    private boolean quality;

    /**
     * Requires options that go together.
     *
     * @throws IllegalArgumentException if they do not
     */
    void check() {
        if (quality && model != null) {
            throw new IllegalArgumentException(
                    "--quality is for Darkroom's own model; leave out --quality or --model");
        }
    }

    /**
     * Returns what names the model; Darkroom's own is unpacked first.
     *
     * @throws IOException if it can't be
     */
    String model() throws IOException {
        if (model != null) {
            return model;
        }
        return (quality ? EmbeddedModel.TEACHER : EmbeddedModel.STUDENT).folder().toString();
    }
}
