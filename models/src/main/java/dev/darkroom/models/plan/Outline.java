package dev.darkroom.models.plan;

import dev.darkroom.hub.CheckpointFiles;
import dev.darkroom.hub.Hub;
import dev.darkroom.hub.ModelId;
import dev.darkroom.hub.RemoteFile;
import dev.darkroom.hub.Repository;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.runtime.safetensors.WeightFiles;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;

/**
 * A checkpoint of a hub without its weights, in a temporary folder: its configs and tokenizers,
 * which are downloaded into the cache, and for each file of weights one with the same header and
 * length that takes no space on the disk.
 *
 * @param folder like that of the checkpoint
 */
record Outline(Path folder) implements AutoCloseable {
    /**
     * Asks a hub.
     *
     * @throws IOException if it can't be had, or is no checkpoint
     * @throws InterruptedException if the thread is interrupted
     */
    static Outline of(Hub hub, ModelId id) throws IOException, InterruptedException {
        Repository repository = hub.repository(id);
        var selected = CheckpointFiles.of(id).select(repository, hub);
        Path root = Files.createTempDirectory("darkroom-plan");
        var outline = new Outline(root.resolve(id.name()));
        boolean done = false;
        try {
            Files.createDirectory(outline.folder);
            for (RemoteFile file : selected.files()) {
                Path path = outline.path(file);
                Files.createDirectories(path.resolveSibling(""));
                if (file.name().endsWith(".safetensors")) {
                    write(path, hub.safetensorsHeader(repository, file), file.size());
                } else {
                    Files.copy(hub.file(repository, file.path()).orElseThrow(), path);
                }
            }
            done = true;
            return outline;
        } finally {
            if (!done) {
                outline.close();
            }
        }
    }

    /** A file's place, which is in the folder whatever the hub calls it. */
    private Path path(RemoteFile file) throws CheckpointException {
        Path path = folder;
        for (String name : file.path().split("/", -1)) {
            if (!WeightFiles.isBareName(name)) {
                throw new CheckpointException(
                        "the hub names a file that can't be written: " + file.name());
            }
            path = path.resolve(name);
        }
        return path;
    }

    private static void write(Path path, byte[] header, long length) throws IOException {
        try (var file = new RandomAccessFile(path.toFile(), "rw")) {
            file.write(
                    ByteBuffer.allocate(Long.BYTES)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putLong(header.length)
                            .array());
            file.write(header);
            file.setLength(length);
        }
    }

    /** Deletes the folder. */
    @Override
    public void close() throws IOException {
        Path root = folder.resolveSibling("");
        try (var all = Files.walk(root)) {
            for (Path each : all.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(each);
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }
}
