package dev.darkroom.runtime.cache;

import dev.darkroom.common.FileLocks;

import org.jspecify.annotations.Nullable;

import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The one process that unpacks into a cache at a time. Whatever lies half unpacked while somebody
 * holds this belongs to a process that died, and is swept.
 */
final class Unpacking implements Closeable {
    private static final String PARTIAL = ".unpacking-";
    private static final String LOCK = ".lock";
    private static final Duration PATIENCE = Duration.ofMinutes(10);
    private static final long POLL_MILLIS = 50;

    private final Path root;
    private final FileChannel channel;
    private final @Nullable FileLock lock;

    private Unpacking(Path root, FileChannel channel, @Nullable FileLock lock) {
        this.root = root;
        this.channel = channel;
        this.lock = lock;
    }

    /**
     * Waits until no other process and no other thread unpacks, then sweeps.
     *
     * @param root the cache
     */
    static Unpacking begin(Path root) throws IOException {
        var channel =
                FileChannel.open(
                        root.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            var unpacking = new Unpacking(root, channel, lock(root, channel));
            if (unpacking.lock != null) {
                unpacking.sweep();
            }
            return unpacking;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /** Locks the cache; null on a file system that has no locks. */
    private static @Nullable FileLock lock(Path root, FileChannel channel) throws IOException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            try {
                FileLock lock = FileLocks.tryLock(channel);
                if (lock != null) {
                    return lock;
                }
            } catch (IOException e) {
                return null;
            }
            if (System.nanoTime() > end) {
                throw new IOException(
                        "another process has been unpacking into "
                                + root
                                + " for "
                                + PATIENCE.toMinutes()
                                + " minutes; end it and try again");
            }
            try {
                Thread.sleep(POLL_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ClosedByInterruptException();
            }
        }
    }

    /** Makes a new empty folder beside one that will take its files. */
    Path partial(Path folder) throws IOException {
        return Files.createTempDirectory(Objects.requireNonNull(folder.getParent()), PARTIAL);
    }

    /**
     * Puts a finished folder in its place. Files that are there are replaced one by one: whoever
     * has mapped or opened one keeps it, whoever opens it finds the old or the new one.
     */
    void publish(Path partial, Path folder) throws IOException {
        List<Path> files;
        try (Stream<Path> walk = Files.walk(partial)) {
            // The manifest last, when what it describes is there.
            files =
                    walk.filter(Files::isRegularFile)
                            .sorted(Comparator.comparing(file -> file.endsWith(Manifest.NAME)))
                            .toList();
        }
        if (Ownership.isTrusted(folder) && fits(partial, files, folder)) {
            for (Path file : files) {
                Path target = folder.resolve(partial.relativize(file));
                Path parent = Objects.requireNonNull(target.getParent());
                Files.createDirectories(parent);
                Files.move(
                        file,
                        target,
                        StandardCopyOption.ATOMIC_MOVE,
                        StandardCopyOption.REPLACE_EXISTING);
                Manifest.sync(parent);
            }
            delete(partial);
            return;
        }
        if (Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            Path aside = partial.resolveSibling(partial.getFileName() + "-old");
            Files.move(folder, aside, StandardCopyOption.ATOMIC_MOVE);
        }
        Files.move(partial, folder, StandardCopyOption.ATOMIC_MOVE);
        Manifest.sync(Objects.requireNonNull(folder.getParent()));
        sweep();
    }

    /** Returns whether nothing but a file has the name of a file. */
    private static boolean fits(Path partial, List<Path> files, Path folder) {
        for (Path file : files) {
            Path target = folder.resolve(partial.relativize(file));
            for (Path above = target.getParent();
                    above != null && !above.equals(folder);
                    above = above.getParent()) {
                if (Files.exists(above, LinkOption.NOFOLLOW_LINKS)
                        && !Files.isDirectory(above, LinkOption.NOFOLLOW_LINKS)) {
                    return false;
                }
            }
            if (Files.isDirectory(target, LinkOption.NOFOLLOW_LINKS)) {
                return false;
            }
        }
        return true;
    }

    /** Removes what processes left that died. */
    private void sweep() throws IOException {
        List<Path> stale;
        try (Stream<Path> walk = Files.walk(root, 2)) {
            stale = walk.filter(path -> name(path).startsWith(PARTIAL)).toList();
        }
        for (Path each : stale) {
            delete(each);
        }
    }

    private static String name(Path path) {
        return String.valueOf(path.getFileName());
    }

    /** Deletes a folder and all that is in it; nothing if it is not there. */
    static void delete(Path folder) throws IOException {
        if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        List<Path> files;
        try (Stream<Path> walk = Files.walk(folder)) {
            files = walk.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path file : files) {
            Files.delete(file);
        }
    }

    @Override
    public void close() throws IOException {
        channel.close(); // and the lock with it
    }
}
