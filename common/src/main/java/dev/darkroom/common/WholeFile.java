package dev.darkroom.common;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.UUID;

/**
 * Files that appear whole or not at all: they are written under another name in their folder, then
 * renamed. What a process left there that was killed in between is removed by a later one.
 */
public final class WholeFile {
    private static final String PREFIX = ".darkroom-";
    private static final String SUFFIX = ".tmp";

    /** No file is without a change for so long while it is being written. */
    private static final Duration STALE = Duration.ofMinutes(10);

    private WholeFile() {}

    /** Writes the contents of a file. */
    @FunctionalInterface
    public interface Content {
        /**
         * @param temporary exists and is empty
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
                if (Files.getLastModifiedTime(each)
                        .toInstant()
                        .isBefore(Instant.now().minus(STALE))) {
                    Files.delete(each);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            // Another process was faster, or the folder can't be listed.
        }
    }

    private static Path folder(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        return folder == null ? file.toAbsolutePath() : folder;
    }
}
