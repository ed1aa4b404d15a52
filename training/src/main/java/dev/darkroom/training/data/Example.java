package dev.darkroom.training.data;

import java.nio.file.Path;
import java.util.Map;

/**
 * A picture and what it shows.
 *
 * @param file the picture
 * @param caption not blank
 * @param fields what else is known of it, such as a class, by name
 */
public record Example(Path file, String caption, Map<String, String> fields) {
    public Example {
        fields = Map.copyOf(fields);
    }
}
