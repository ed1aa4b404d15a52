package dev.darkroom.models.checkpoint;

import dev.darkroom.hub.DownloadListener;

/**
 * Is told how loading a model goes on: first what is downloaded of it, unless it is on this machine
 * already, then the weights of one part after the other; not of parts that take turns in memory,
 * which requests load. The methods are called by one thread at a time; those about loading by the
 * one that loads. What one throws ends the loading.
 */
public interface LoadListener extends DownloadListener {
    /** Listens to nothing. */
    LoadListener NONE = new LoadListener() {};

    /** The weights of a part begin to be loaded. */
    default void loads(Loading loading) {}

    /** The weights of a part are loaded. */
    default void loaded(Loading loading) {}

    /** {@inheritDoc} It is also asked before each part is loaded; nothing then stays loaded. */
    @Override
    default boolean isCancelled() {
        return false;
    }

    /**
     * How far loading is.
     *
     * @param part such as {@code transformer}; the file's name for a single file
     * @param bytes of the part's weights
     * @param totalBytes of the weights that are loaded, of all parts
     * @param totalSize of the weights of all parts
     */
    record Loading(String part, long bytes, long totalBytes, long totalSize) {}
}
