package dev.darkroom.training.stage;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.pipeline.Families;

import org.jspecify.annotations.Nullable;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What a stage's config is read with: where its paths lead, and which families there are.
 *
 * @param config the file
 * @param data the training pictures, if they are named elsewhere
 * @param families whose networks can be trained
 */
record StageContext(Path config, @Nullable Path data, Families families) {
    private static final String DATA = "data";

    /**
     * Returns a folder that the config must name.
     *
     * @throws IllegalArgumentException if it doesn't, or there is none
     */
    Path folder(ConfigReader json, String key) {
        String path = json.text(key, "");
        if (path.isEmpty()) {
            throw new IllegalArgumentException(key + " is missing; it names a folder");
        }
        return require(key, config.toAbsolutePath().resolveSibling(path).normalize());
    }

    /** Returns the folder of the training pictures. */
    Path data(ConfigReader json) {
        if (data == null) {
            return folder(json, DATA);
        }
        json.ignore(DATA);
        return require(DATA, data);
    }

    private static Path require(String key, Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new IllegalArgumentException(key + ": there is no folder " + folder);
        }
        return folder;
    }
}
