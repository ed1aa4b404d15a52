package dev.darkroom.hub;

import java.util.List;
import java.util.Optional;

/**
 * A model at one commit and its files, as a hub lists them. The names are the hub's: they are
 * checked when a file is written, not here.
 *
 * @param id what was asked for
 * @param commit hash of the commit that the revision meant, 40 hexadecimal digits
 * @param files all files, also those that nobody needs
 */
public record Repository(ModelId id, String commit, List<RemoteFile> files) {
    /** Keeps the list as it is now. */
    public Repository {
        files = List.copyOf(files);
    }

    /** The file of a path. */
    public Optional<RemoteFile> file(String path) {
        return files.stream().filter(file -> file.path().equals(path)).findFirst();
    }
}
