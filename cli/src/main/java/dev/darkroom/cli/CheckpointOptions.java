package dev.darkroom.cli;

import dev.darkroom.models.pipeline.EmbeddedModel;
import dev.darkroom.models.pipeline.Embedding;
import dev.darkroom.models.pipeline.PipelineOptions;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Option;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

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

    @Option(
            names = "--auto-guidance",
            paramLabel = "MODEL",
            description =
                    "A weaker version of the model, such as an earlier checkpoint of its training,"
                            + " named as --model is: --guidance then leads away from what that"
                            + " makes of the same prompt (Karras et al. 2024).")
    private @Nullable String autoGuidance;

    @Option(
            names = "--embedding",
            paramLabel = "FILE[=TOKEN]",
            description =
                    "A learned embedding (textual inversion) that prompts name by its token: a"
                            + " .safetensors file, a folder with one, or ORG/NAME on a hub. May be"
                            + " given several times. Without TOKEN, the one of the file, else its"
                            + " name.")
    private List<String> embeddings = new ArrayList<>();

    /**
     * Adds the weaker model of autoguidance and the embeddings to the options of a pipeline.
     *
     * @throws IllegalArgumentException if a name or a side of one is blank
     */
    PipelineOptions with(PipelineOptions options) {
        PipelineOptions all = options.withAutoGuidance(autoGuidance);
        for (String embedding : embeddings) {
            all = all.withEmbedding(Embedding.parse(embedding));
        }
        return all;
    }

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

    /** Whether the model may be one that takes neither prompt nor class. */
    boolean maySampleWithoutInputs() {
        return ModelIndex.maySampleWithoutInputs(model);
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
