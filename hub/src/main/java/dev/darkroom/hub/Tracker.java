package dev.darkroom.hub;

import dev.darkroom.hub.DownloadListener.Progress;
import dev.darkroom.hub.HubException.Kind;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Adds up what several threads download, and tells the listener, one at a time. */
final class Tracker {
    private final DownloadListener listener;
    private final Map<RemoteFile, Long> come = new HashMap<>();
    private long total;
    private long totalSize;

    Tracker(DownloadListener listener) {
        this.listener = listener;
    }

    synchronized void starts(List<RemoteFile> files) {
        for (RemoteFile file : files) {
            come.put(file, 0L);
            totalSize += file.size();
        }
        listener.starts(List.copyOf(files), totalSize);
    }

    /** So many bytes of a file are there. Files that were not counted at the start are left out. */
    synchronized void at(RemoteFile file, long bytes) throws HubException {
        requireGoing();
        Long before = come.get(file);
        if (before != null && before != bytes) {
            come.put(file, bytes);
            total += bytes - before;
            listener.progresses(new Progress(file, bytes, total, totalSize));
        }
    }

    synchronized void finished(RemoteFile file) throws HubException {
        at(file, file.size());
        if (come.containsKey(file)) {
            listener.finished(file);
        }
    }

    synchronized void warns(String message) {
        listener.warns(message);
    }

    /** Ends the download where the listener asks for it. */
    synchronized void requireGoing() throws HubException {
        if (listener.isCancelled()) {
            throw new HubException(
                    Kind.CANCELLED,
                    "the download was cancelled; what came so far is kept, and a later one goes on"
                            + " from there");
        }
    }
}
