package dev.darkroom.hub;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * The bytes of a file that came so far. They are hashed and brought to the disk by threads of their
 * own, beside the download.
 */
final class BlobFile implements AutoCloseable {
    /** Bytes of a piece at most. */
    private static final int CHUNK = 1 << 18;

    private static final int CHUNKS = 8;

    /** So much is written between two times that the disk is asked to keep it. */
    private static final long UNSYNCED = 64L << 20;

    private final RemoteFile file;
    private final Path path;
    private final FileChannel channel;
    private final BlockingQueue<byte[]> free = new ArrayBlockingQueue<>(CHUNKS);
    private final ExecutorService hashing = thread("darkroom-hub-hash");
    private final ExecutorService syncing = thread("darkroom-hub-sync");
    private BlobHash hash; // of the hashing thread alone
    private int chunks;
    private long size;
    private long unsynced;
    private @Nullable Future<?> sync;

    /**
     * Begins with nothing, whatever is in the file.
     *
     * @param file what is expected
     * @param channel of {@code path}, which stays the caller's
     */
    BlobFile(RemoteFile file, Path path, FileChannel channel) {
        this.file = file;
        this.path = path;
        this.channel = channel;
        hash = new BlobHash(file);
    }

    private static ExecutorService thread(String name) {
        return Executors.newSingleThreadExecutor(
                task -> {
                    var thread = new Thread(task, name);
                    thread.setDaemon(true);
                    return thread;
                });
    }

    /** Bytes that there are. */
    long size() {
        return size;
    }

    /** An array to fill and to give to {@link #append}; waits while the hash is far behind. */
    byte[] chunk() throws InterruptedException {
        if (chunks < CHUNKS) {
            chunks++;
            return new byte[CHUNK];
        }
        return free.take();
    }

    /** Takes an array back that was not filled. */
    void release(byte[] chunk) {
        free.add(chunk);
    }

    /** Takes what an earlier download left in the file. */
    void takeEarlier(Tracker tracker) throws IOException, InterruptedException {
        try {
            if (channel.size() > file.size()) {
                channel.truncate(0);
            }
            channel.position(0);
            while (true) {
                byte[] chunk = chunk();
                int read = channel.read(ByteBuffer.wrap(chunk));
                if (read < 0) {
                    release(chunk);
                    return;
                }
                hashed(chunk, read);
                tracker.requireGoing();
            }
        } catch (ClosedByInterruptException | HubException e) {
            throw e;
        } catch (IOException e) {
            throw RepositoryFolder.unwritable(path, e);
        }
    }

    /** Writes the start of an array, which is then no longer the caller's. */
    void append(byte[] chunk, int length) throws IOException {
        var buffer = ByteBuffer.wrap(chunk, 0, length);
        try {
            while (buffer.hasRemaining()) {
                channel.write(buffer, size + buffer.position());
            }
        } catch (ClosedByInterruptException e) {
            throw e;
        } catch (IOException e) {
            throw RepositoryFolder.unwritable(path, e);
        }
        hashed(chunk, length);
        unsynced += length;
        if (unsynced >= UNSYNCED && (sync == null || sync.isDone())) {
            unsynced = 0;
            sync = syncing.submit(this::syncSome);
        }
    }

    private void hashed(byte[] chunk, int length) {
        size += length;
        hashing.execute(
                () -> {
                    hash.add(chunk, length);
                    free.add(chunk);
                });
    }

    /** Begins early with what {@link #sync} would wait for. */
    private void syncSome() {
        try {
            channel.force(false);
        } catch (IOException e) {
            // It shows at the end.
        }
    }

    /** Forgets what came. */
    void restart() throws HubException {
        try {
            channel.truncate(0);
        } catch (IOException e) {
            throw RepositoryFolder.unwritable(path, e);
        }
        size = 0;
        hashing.execute(() -> hash = new BlobHash(file));
    }

    /** Whether what came has the listed hash. The next bytes begin another. */
    boolean matches() throws InterruptedException {
        try {
            return hashing.submit(() -> hash.matches()).get();
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Waits until the disk has the whole, so that a blob is never less than its name says. */
    void sync() throws HubException {
        try {
            channel.force(true);
        } catch (IOException e) {
            throw RepositoryFolder.unwritable(path, e);
        }
    }

    /** Lets the threads end, which may still use the channel for a moment. */
    @Override
    public void close() {
        hashing.shutdownNow();
        syncing.shutdown();
    }
}
