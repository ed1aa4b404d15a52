package dev.darkroom.hub;

import dev.darkroom.common.FileLocks;

import org.jspecify.annotations.Nullable;

import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;

/**
 * Keeps others from downloading the same blob at the same time: other threads, other processes of
 * Java, and {@code huggingface_hub}.
 *
 * <p>Java locks with {@code fcntl} on Unix, and Python's filelock with {@code flock}; the kernel
 * keeps the two apart. There the lock is taken twice, the second time by the program {@code flock}
 * of Linux, which holds it until its input ends, also when this process is killed. Where that
 * program is missing (macOS), Python does not see the lock: both may then download the same blob,
 * which costs time, and a blob gets its name only when its hash is right. On Windows both lock the
 * same bytes.
 */
final class BlobLock implements Closeable {
    private static final Path FLOCK = Path.of("/usr/bin/flock");
    private static final long POLL = 100; // ms
    private static final int HELD = 'l';
    private static final int TAKEN = 75; // exit status, one that flock does not have otherwise

    private final FileChannel channel;
    private final FileLock lock;
    private final @Nullable Process flock;

    private BlobLock(FileChannel channel, FileLock lock, @Nullable Process flock) {
        this.channel = channel;
        this.lock = lock;
        this.flock = flock;
    }

    /** Asked while waiting; throws to give up. */
    @FunctionalInterface
    interface Waiting {
        void go() throws IOException;
    }

    /**
     * Waits for the lock.
     *
     * @param file made where it is missing, and never removed: others may wait for it
     */
    static BlobLock acquire(Path file, Waiting waiting) throws IOException, InterruptedException {
        FileChannel channel;
        try {
            channel =
                    FileChannel.open(
                            file,
                            StandardOpenOption.CREATE,
                            StandardOpenOption.WRITE,
                            LinkOption.NOFOLLOW_LINKS);
        } catch (IOException e) {
            throw RepositoryFolder.unwritable(file, e);
        }
        try {
            FileLock lock = lock(channel, waiting);
            return new BlobLock(channel, lock, flock(file, waiting));
        } catch (IOException | InterruptedException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private static FileLock lock(FileChannel channel, Waiting waiting)
            throws IOException, InterruptedException {
        while (true) {
            FileLock lock = FileLocks.tryLock(channel);
            if (lock != null) {
                return lock;
            }
            waiting.go();
            Thread.sleep(POLL);
        }
    }

    /** The lock that Python sees, or null where it can't be had. */
    private static @Nullable Process flock(Path file, Waiting waiting)
            throws IOException, InterruptedException {
        while (Files.isExecutable(FLOCK)) {
            Process process;
            try {
                process = holder(file);
            } catch (IOException e) {
                return null; // No process can be started.
            }
            boolean held = false;
            try {
                held = process.getInputStream().read() == HELD;
                if (held) {
                    return process;
                }
                if (process.waitFor() != TAKEN) {
                    return null; // The file system has no such locks.
                }
            } finally {
                if (!held) {
                    process.destroy();
                }
            }
            waiting.go();
            Thread.sleep(POLL);
        }
        return null;
    }

    /** Starts what holds the lock until its input ends, and says so once it does. */
    private static Process holder(Path file) throws IOException {
        return new ProcessBuilder(
                        FLOCK.toString(),
                        "--exclusive",
                        "--nonblock",
                        "--conflict-exit-code",
                        String.valueOf(TAKEN),
                        file.toString(),
                        "/bin/sh",
                        "-c",
                        "printf l; exec cat >/dev/null")
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
    }

    /** Whether Python sees it too. */
    boolean isSeenByPython() {
        return flock != null;
    }

    @Override
    public void close() throws IOException {
        try (channel) {
            lock.release();
            if (flock != null) {
                flock.getOutputStream().close();
                awaitEnd(flock);
            }
        }
    }

    private static void awaitEnd(Process process) {
        try {
            if (process.waitFor(2, TimeUnit.SECONDS)) {
                return;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        process.destroy();
    }
}
