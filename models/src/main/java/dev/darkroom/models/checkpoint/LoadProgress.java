package dev.darkroom.models.checkpoint;

import dev.darkroom.models.checkpoint.LoadListener.Loading;

import java.util.Map;
import java.util.concurrent.CancellationException;

/** Adds up the weights that are loaded, and tells a listener. */
final class LoadProgress {
    private final LoadListener listener;
    private final Map<String, Long> sizes;
    private final long totalSize;
    private long total;

    /**
     * @param sizes bytes of the weights by part
     */
    LoadProgress(LoadListener listener, Map<String, Long> sizes) {
        this.listener = listener;
        this.sizes = sizes;
        totalSize = sizes.values().stream().mapToLong(Long::longValue).sum();
    }

    /**
     * A part begins to be loaded.
     *
     * @throws CancellationException if the listener does not want it
     */
    void begin(String part) {
        if (listener.isCancelled()) {
            throw new CancellationException("loading was cancelled before " + part);
        }
        listener.loads(loading(part));
    }

    /** A part is loaded. Several networks of a file count as the file at most. */
    void end(String part) {
        total = Math.min(totalSize, total + size(part));
        listener.loaded(loading(part));
    }

    private Loading loading(String part) {
        return new Loading(part, size(part), total, totalSize);
    }

    private long size(String part) {
        return sizes.getOrDefault(part, 0L);
    }
}
