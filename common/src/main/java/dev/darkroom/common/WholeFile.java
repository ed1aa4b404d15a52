package dev.darkroom.common;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * Files and folders that appear whole or not at all: they are written under another name in the
 * folder that they belong to, then renamed. What a process left there that was killed in between is
 * removed by a later one.
 */
public final class WholeFile {
    private static final String PREFIX = ".darkroom-";
    private static final String SUFFIX = ".tmp";

    /** No file is without a change for so long while it is being written. */
    private static final Duration STALE = Duration.ofMinutes(10);

    private WholeFile() {}

    /** Writes the contents of a file or a folder. */
    @FunctionalInterface
    public interface Content {
        /**
         * @param temporary exists and is empty: a file, or where a folder is written, a folder
         */
        void writeTo(Path temporary) throws IOException;
    }

    /**
     * Writes a file in full or not at all; one that was there before is replaced.
     *
     * @throws IOException if it can't be written, with its name; nothing is left then
     */
    public static void write(Path file, Content content) throws IOException {
        write(file, folder(file), content);
    }

    /**
     * Writes a file as {@link #write(Path, Content)} does, where its own folder may hold nothing
     * else.
     *
     * @param beside a folder on the same disk, for what is not whole yet
     * @throws IOException if it can't be written, with its name; nothing is left then
     */
    public static void write(Path file, Path beside, Content content) throws IOException {
        Path temporary = temporary(beside);
        try {
            content.writeTo(temporary);
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (FileSystemException e) {
            throw e;
        } catch (IOException e) {
            throw failed(file, e);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /**
     * Writes a folder with all that is in it, or nothing.
     *
     * @param folder which is not there yet; that which it belongs to is
     * @param content is given an empty folder to fill
     * @throws FileAlreadyExistsException if there is something of that name
     * @throws IOException if it can't be written, with its name; nothing is left then
     */
    public static void writeFolder(Path folder, Content content) throws IOException {
        requireNew(folder);
        Path above = folder(folder);
        sweep(above);
        Path temporary = Files.createDirectory(above.resolve(PREFIX + UUID.randomUUID() + SUFFIX));
        try {
            content.writeTo(temporary);
            requireNew(folder);
            Files.move(temporary, folder, StandardCopyOption.ATOMIC_MOVE);
        } catch (FileAlreadyExistsException e) {
            throw e;
        } catch (IOException e) {
            throw failed(folder, e);
        } finally {
            delete(temporary);
        }
    }

    /**
     * Refuses a name that is taken, be it by a link that leads nowhere.
     *
     * @throws FileAlreadyExistsException if there is something of that name
     * @throws NoSuchFileException if the folder that it would belong to is not there
     */
    public static void requireNew(Path path) throws IOException {
        if (Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            throw new FileAlreadyExistsException(
                    path.toString(), null, "it is there already: name another, or remove it first");
        }
        if (!Files.isDirectory(folder(path))) {
            throw new NoSuchFileException(
                    path.toString(), null, "its folder does not exist: make it first");
        }
    }

    private static void delete(Path folder) throws IOException {
        if (!Files.exists(folder, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        List<Path> all;
        try (Stream<Path> walk = Files.walk(folder)) {
            all = walk.toList();
        }
        for (Path each : all.reversed()) {
            Files.delete(each);
        }
    }

    /** Returns a failure with the file's name, which Java leaves out where a disk is full. */
    public static IOException failed(Path file, IOException e) {
        return new IOException(file + " can't be written: " + e.getMessage(), e);
    }

    /**
     * A new empty file of a name that {@link #write} uses, with the permissions that the user's
     * mask gives to any new file.
     */
    public static Path temporary(Path folder) throws IOException {
        sweep(folder);
        return Files.createFile(folder.resolve(PREFIX + UUID.randomUUID() + SUFFIX));
    }

    private static void sweep(Path folder) {
        try (var left = Files.newDirectoryStream(folder, PREFIX + "*" + SUFFIX)) {
            for (Path each : left) {
                if (isStale(each)) {
                    delete(each);
                }
            }
        } catch (IOException | DirectoryIteratorException | UncheckedIOException e) {
            // Another process was faster, or the folder can't be listed.
        }
    }

    /** A folder is as new as what is in it. */
    private static boolean isStale(Path path) throws IOException {
        try (Stream<Path> all = Files.walk(path)) {
            for (Path each : all.toList()) {
                if (!Files.getLastModifiedTime(each)
                        .toInstant()
                        .isBefore(Instant.now().minus(STALE))) {
                    return false;
                }
            }
        }
        return true;
    }

    private static Path folder(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        return folder == null ? file.toAbsolutePath() : folder;
    }
}
