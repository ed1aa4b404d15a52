package dev.darkroom.models.pipeline;

import org.jspecify.annotations.Nullable;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;

/**
 * A learned embedding (textual inversion) that is to be loaded beside a checkpoint.
 *
 * @param location a {@code .safetensors} file, a folder with one, or {@code ORG/NAME[@REVISION]} on
 *     a hub
 * @param token that stands for it in prompts; null for the one of the file, else the file's name
 */
public record Embedding(String location, @Nullable String token) {
    /**
     * Checks the texts.
     *
     * @throws IllegalArgumentException if one is blank
     */
    public Embedding {
        if (location.isBlank() || (token != null && token.isBlank())) {
            throw new IllegalArgumentException(
                    "an embedding is FILE or FILE=TOKEN, and neither may be blank");
        }
    }

    /**
     * Reads {@code FILE} or {@code FILE=TOKEN}. A file that is there may have a {@code =} in its
     * name.
     *
     * @throws IllegalArgumentException if a side is blank
     */
    public static Embedding parse(String text) {
        int equals = text.lastIndexOf('=');
        return equals < 0 || isThere(text)
                ? new Embedding(text, null)
                : new Embedding(text.substring(0, equals), text.substring(equals + 1));
    }

    private static boolean isThere(String file) {
        try {
            return Files.exists(Path.of(file));
        } catch (InvalidPathException e) {
            return false;
        }
    }
}
