package dev.darkroom.models.config;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.common.WholeFile;

import java.io.IOException;
import java.nio.file.Path;

/** Writes JSON configs that {@link ConfigReader} reads. */
public final class ConfigWriter {
    private ConfigWriter() {}

    /** Writes a file, whole or not at all. */
    public static void write(Path file, ObjectNode json) throws IOException {
        WholeFile.write(
                file,
                temporary ->
                        ConfigReader.JSON
                                .writerWithDefaultPrettyPrinter()
                                .writeValue(temporary.toFile(), json));
    }

    /** Sets options that a config leaves out. */
    public static void fill(ObjectNode json, String key, int value) {
        if (!json.has(key)) {
            json.put(key, value);
        }
    }
}
