package dev.darkroom.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.common.UntrustedFile;
import dev.darkroom.models.checkpoint.ModelLocation;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.pipeline.Families;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;

/** What a checkpoint's {@code model_index.json} tells before it is loaded. */
final class ModelIndex {
    private static final long LARGEST = 1 << 20;
    private static final int LONGEST_CLASS = 60;

    private ModelIndex() {}

    /** The class of its pipeline; a dash where it says nothing readable. */
    static String className(Path folder) {
        return className(folder, "model_index.json").orElse("-");
    }

    /** The class of the network in a part's folder, if its config says one. */
    static Optional<String> partClass(Path folder) {
        return className(folder, "config.json");
    }

    private static Optional<String> className(Path folder, String file) {
        try {
            byte[] bytes =
                    UntrustedFile.read(folder.resolve(file), LARGEST, UntrustedFile.JSON_TREE);
            JsonNode json = new JsonMapper().readTree(bytes);
            String name =
                    json.path("_class_name").asText(json.path("architectures").path(0).asText());
            return name.matches("\\w{1," + LONGEST_CLASS + "}")
                    ? Optional.of(name)
                    : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /**
     * Whether a model may be one that takes neither prompt nor class. Of one that is to be
     * downloaded, that shows when it is loaded.
     *
     * @param model as people write it; null for Darkroom's own
     */
    static boolean maySampleWithoutInputs(@Nullable String model) {
        if (model == null) {
            return false;
        }
        try {
            return switch (ModelLocation.of(model)) {
                case ModelLocation.Folder folder ->
                        Families.BUILT_IN
                                .find(className(folder.path()))
                                .map(Family::samplesWithoutInputs)
                                .orElse(false);
                case ModelLocation.WeightsFile file -> false;
                case ModelLocation.OnHub named -> true;
            };
        } catch (IOException e) {
            return false; // loading says what is wrong
        }
    }
}
