package dev.darkroom.hub;

import java.nio.file.Path;
import java.util.List;

/**
 * A model that is in the cache.
 *
 * @param id what was asked for
 * @param commit the commit that it means
 * @param folder holds the model's files by their names
 * @param warnings what was taken otherwise than asked for
 */
public record Snapshot(ModelId id, String commit, Path folder, List<String> warnings) {
    /** Keeps the list as it is now. */
    public Snapshot {
        warnings = List.copyOf(warnings);
    }
}
