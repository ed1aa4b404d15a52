package dev.darkroom.hub;

import java.nio.file.Path;
import java.util.List;

/**
 * One commit of a model in the cache.
 *
 * @param repository {@code ORG/NAME}
 * @param commit the commit's hash
 * @param revisions branches and tags that meant this commit when they were last downloaded
 * @param size bytes of its files; those that other commits share are counted for each
 * @param isComplete whether all that a checkpoint needs is there, of the plain weights or of a
 *     variant
 * @param folder its snapshot, where the files have their names
 */
public record CachedModel(
        String repository,
        String commit,
        List<String> revisions,
        long size,
        boolean isComplete,
        Path folder) {
    /** Keeps the list as it is now. */
    public CachedModel {
        revisions = List.copyOf(revisions);
    }
}
