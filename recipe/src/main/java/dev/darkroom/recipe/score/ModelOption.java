package dev.darkroom.recipe.score;

import dev.darkroom.models.pipeline.EmbeddedModel;

import picocli.CommandLine.Option;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;

/** Which model makes the pictures. */
final class ModelOption {
    @Option(
            names = "--model",
            paramLabel = "FOLDER|student|teacher",
            description =
                    "A checkpoint, the folder that holds model_index.json; or one of the embedded"
                            + " models. Default: ${DEFAULT-VALUE}.")
    private String model = name(EmbeddedModel.STUDENT);

    private static String name(EmbeddedModel embedded) {
        return embedded.name().toLowerCase(Locale.ROOT);
    }

    /** The checkpoint. */
    Path folder() {
        return Arrays.stream(EmbeddedModel.values())
                .filter(embedded -> name(embedded).equals(model))
                .findFirst()
                .map(EmbeddedModel::folder)
                .orElse(Path.of(model));
    }

    /** What to call it. */
    String name() {
        return String.valueOf(Path.of(model).getFileName());
    }
}
