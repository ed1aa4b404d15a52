package dev.darkroom.hub;

/**
 * A file of a model, as a hub lists it.
 *
 * @param path with slashes, within the repository
 * @param size bytes
 * @param hash of its contents, in hexadecimal digits: SHA-256 of a large file (Git LFS), else the
 *     SHA-1 of Git's blob. Empty for a file of the cache that was not listed by a hub
 */
public record RemoteFile(String path, long size, String hash) {
    /** The folder that it lies in, without a slash at its end; empty for the repository itself. */
    public String folder() {
        return path.substring(0, Math.max(0, path.lastIndexOf('/')));
    }

    /** Its name without folders. */
    public String name() {
        return path.substring(path.lastIndexOf('/') + 1);
    }
}
