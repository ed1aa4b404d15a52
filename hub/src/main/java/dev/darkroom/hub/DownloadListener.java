package dev.darkroom.hub;

import java.util.List;

/**
 * Is told how a download goes on. Its methods are called by several threads, but by one at a time;
 * what one throws ends the download.
 */
public interface DownloadListener {
    /** Listens to nothing. */
    DownloadListener NONE = new DownloadListener() {};

    /**
     * It is known what has to be downloaded.
     *
     * @param files those that are not in the cache, which may be none
     * @param bytes their sizes together
     */
    default void starts(List<RemoteFile> files, long bytes) {}

    /** Some bytes more have come, or those of an earlier download were found. */
    default void progresses(Progress progress) {}

    /** A file has its final name. */
    default void finished(RemoteFile file) {}

    /** Something that does not end the download, such as a cut connection that is made again. */
    default void warns(String message) {}

    /**
     * Whether to stop, asked between any two pieces of a file. What came so far is kept, and a
     * later download goes on from there.
     */
    default boolean isCancelled() {
        return false;
    }

    /**
     * How far a download is.
     *
     * @param file the one that has come further
     * @param bytes of this file that are there, those of an earlier download included
     * @param totalBytes of all files that had to be downloaded that are there
     * @param totalSize of all files that had to be downloaded
     */
    record Progress(RemoteFile file, long bytes, long totalBytes, long totalSize) {}
}
