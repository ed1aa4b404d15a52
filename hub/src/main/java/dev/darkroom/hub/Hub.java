package dev.darkroom.hub;

import dev.darkroom.hub.FileSelection.Selected;
import dev.darkroom.hub.HubException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorCompletionService;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * A hub of models and the cache of what was downloaded from it.
 *
 * <pre>{@code
 * try (var hub = new Hub(HubOptions.fromEnvironment())) {
 *     Path folder = hub.get(ModelId.parse("ORG/NAME:fp16"), DownloadListener.NONE).folder();
 * }
 * }</pre>
 *
 * <p>Methods may be called by several threads. An interrupt ends a call; what came so far is kept,
 * and a later one goes on from there. So does a process that was killed.
 */
public final class Hub implements AutoCloseable {
    private final HubOptions options;
    private final Retries.Policy policy;
    private final HubCache cache;
    private @Nullable Http http;
    private boolean closed;

    /** Prepares a client; nothing is asked yet. */
    public Hub(HubOptions options) {
        this(
                options,
                new HubCache(options.cacheFolder()),
                new Retries.Policy(Duration.ofSeconds(1), options.longestWait()));
    }

    Hub(HubOptions options, HubCache cache, Retries.Policy policy) {
        this.options = options;
        this.cache = cache;
        this.policy = policy;
    }

    /** Made when it is needed: that takes longer than finding a model in the cache. */
    private synchronized Http http() {
        if (http == null) {
            if (closed) {
                throw new IllegalStateException("this client of a hub is closed");
            }
            http = new Http(options);
        }
        return http;
    }

    /** What is on this machine already. */
    public HubCache cache() {
        return cache;
    }

    /**
     * A checkpoint of the cache, where what {@link CheckpointFiles} chooses is all there, else
     * downloaded. For one that is there the hub is not asked, not even whether a branch has moved:
     * {@link #download} does. No file of it is hashed again.
     *
     * @throws HubException if it can't be had
     * @throws InterruptedException if the thread is interrupted
     */
    public Snapshot get(ModelId id, DownloadListener listener)
            throws IOException, InterruptedException {
        return get(id, CheckpointFiles.of(id), listener);
    }

    /** As {@link #get(ModelId, DownloadListener)}, with another choice of files. */
    public Snapshot get(ModelId id, FileSelection selection, DownloadListener listener)
            throws IOException, InterruptedException {
        var cached = cache.found(id, selection);
        if (cached.isPresent() && (options.offline() || cached.get().isCertain())) {
            return cached.get().snapshot();
        }
        return download(id, selection, listener);
    }

    /**
     * Downloads what is missing of a model, at the commit that its revision means now.
     *
     * @param selection chooses the files
     * @throws HubException if it can't be had; what came so far is kept
     * @throws InterruptedException if the thread is interrupted
     */
    public Snapshot download(ModelId id, FileSelection selection, DownloadListener listener)
            throws IOException, InterruptedException {
        var tracker = new Tracker(listener);
        tracker.requireGoing();
        Repository repository = repository(id, tracker);
        String commit = repository.commit();
        var folder = cache.repository(id.repository());
        folder.prepare(commit);
        Selected selected =
                selection.select(
                        repository.files(), file -> fetch(repository, folder, file, tracker));
        selected.warnings().forEach(tracker::warns);
        RepoPath.requireDistinct(selected.files().stream().map(RemoteFile::path).toList());

        var missing = new ArrayList<RemoteFile>();
        for (RemoteFile file : selected.files()) {
            if (!folder.has(commit, RepoPath.names(file.path()), file.size())) {
                missing.add(file);
            }
        }
        tracker.starts(missing);
        folder.requireSpace(missing(missing, folder));
        // Weights go last: where they are, the rest is.
        fetchAll(missing, false, repository, folder, tracker);
        fetchAll(missing, true, repository, folder, tracker);
        for (String path : selected.missing()) {
            folder.writeMissing(commit, RepoPath.names(path));
        }
        folder.writeRef(id.revisionOrMain(), commit);
        return new Snapshot(id, commit, folder.snapshot(commit), selected.warnings());
    }

    /**
     * Asks which commit a revision means and which files it has.
     *
     * @throws HubException if the hub does not say
     * @throws InterruptedException if the thread is interrupted
     */
    public Repository repository(ModelId id) throws IOException, InterruptedException {
        return repository(id, new Tracker(DownloadListener.NONE));
    }

    private Repository repository(ModelId id, Tracker tracker)
            throws IOException, InterruptedException {
        if (options.offline()) {
            throw new HubException(
                    Kind.OFFLINE,
                    id
                            + " is "
                            + (cache.hasSome(id) ? "only in part" : "not")
                            + " in the cache "
                            + cache.folder()
                            + ", and downloading is switched off; unset HF_HUB_OFFLINE or leave"
                            + " out --offline");
        }
        return new Api(http(), policy).repository(id, tracker::warns);
    }

    /**
     * Brings one file into the cache.
     *
     * @param path in the repository
     * @return empty if the model has no such file
     * @throws HubException if it can't be had
     * @throws InterruptedException if the thread is interrupted
     */
    public Optional<Path> file(Repository repository, String path)
            throws IOException, InterruptedException {
        var names = RepoPath.names(path);
        var folder = cache.repository(repository.id().repository());
        folder.prepare(repository.commit());
        var file = repository.file(path);
        if (file.isEmpty()) {
            folder.writeMissing(repository.commit(), names);
            return Optional.empty();
        }
        return Optional.of(
                fetch(repository, folder, file.get(), new Tracker(DownloadListener.NONE)));
    }

    /**
     * Reads the header of a safetensors file at the hub, without its tensors.
     *
     * @return the header's JSON, as its bytes are in the file; at most 100 MB, and not parsed
     * @throws HubException if it can't be had or is none, or its name is not one of a file
     * @throws InterruptedException if the thread is interrupted
     */
    public byte[] safetensorsHeader(Repository repository, RemoteFile file)
            throws IOException, InterruptedException {
        RepoPath.names(file.path());
        return new RemoteHeader(http(), policy, repository, file).read();
    }

    private long missing(List<RemoteFile> files, RepositoryFolder folder) {
        return files.stream()
                .mapToLong(file -> file.size() - size(folder.incomplete(file.hash())))
                .filter(bytes -> bytes > 0)
                .sum();
    }

    private static long size(Path file) {
        return Math.max(0, file.toFile().length());
    }

    private void fetchAll(
            List<RemoteFile> all,
            boolean weights,
            Repository repository,
            RepositoryFolder folder,
            Tracker tracker)
            throws IOException, InterruptedException {
        var files =
                all.stream()
                        .filter(file -> file.name().endsWith(".safetensors") == weights)
                        .toList();
        if (files.isEmpty()) {
            return;
        }
        var pool =
                Executors.newFixedThreadPool(
                        Math.min(options.parallel(), files.size()),
                        task -> {
                            var thread = new Thread(task, "darkroom-hub-download");
                            thread.setDaemon(true);
                            return thread;
                        });
        var finished = new ExecutorCompletionService<Path>(pool);
        try {
            for (RemoteFile file : files) {
                finished.submit(() -> fetch(repository, folder, file, tracker));
            }
            for (int i = 0; i < files.size(); i++) {
                finished.take().get();
            }
        } catch (ExecutionException e) {
            throw rethrown(e);
        } finally {
            pool.shutdownNow();
            awaitEnd(pool);
        }
    }

    /** Lets the other threads close their files, as they do at once when they are interrupted. */
    private static void awaitEnd(ExecutorService pool) throws InterruptedException {
        boolean wasInterrupted = Thread.interrupted();
        try {
            pool.awaitTermination(10, TimeUnit.SECONDS);
        } finally {
            if (wasInterrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static IOException rethrown(ExecutionException failed) throws InterruptedException {
        return switch (failed.getCause()) {
            case IOException e -> e;
            case InterruptedException e -> throw e;
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case null, default -> new IOException(failed);
        };
    }

    private Path fetch(
            Repository repository, RepositoryFolder folder, RemoteFile file, Tracker tracker)
            throws IOException, InterruptedException {
        var names = RepoPath.names(file.path());
        String commit = repository.commit();
        Path pointer = folder.pointer(commit, names);
        if (folder.has(commit, names, file.size())) {
            return pointer;
        }
        try (var lock = BlobLock.acquire(folder.lock(file.hash()), tracker::requireGoing)) {
            Path blob = folder.blob(file.hash());
            boolean isNew = !RepositoryFolder.isWhole(blob, file.size());
            if (isNew) {
                Path incomplete = folder.incomplete(file.hash());
                try (var channel = folder.open(incomplete);
                        var bytes = new BlobFile(file, incomplete, channel)) {
                    new BlobDownload(http(), repository, file, bytes, policy, tracker).run();
                }
                folder.finish(incomplete, blob);
            }
            folder.link(blob, commit, names, isNew);
        }
        tracker.finished(file);
        return pointer;
    }

    /** Ends requests that are under way. */
    @Override
    public synchronized void close() {
        closed = true;
        if (http != null) {
            http.close();
        }
    }
}
