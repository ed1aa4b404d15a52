package dev.darkroom.cli;

import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/**
 * The files of one run.
 *
 * @param grid whether one file has all pictures
 * @param pictures a file for each picture, or the one of the grid
 * @param strip the picture of the steps; null for none
 * @param trace the tensors in between; null for none
 */
record OutputFiles(boolean grid, List<Path> pictures, @Nullable Path strip, @Nullable Path trace) {
    /**
     * Requires names that differ.
     *
     * @throws IllegalArgumentException if two do not
     */
    OutputFiles {
        Set<Path> seen = new HashSet<>();
        for (Path file : all(pictures, strip, trace)) {
            if (!seen.add(Output.real(file))) {
                throw new IllegalArgumentException(
                        "two outputs would have the same name, " + file + "; name them apart");
            }
        }
    }

    /** Returns all files: the pictures, then what else there is. */
    List<Path> all() {
        return all(pictures, strip, trace);
    }

    private static List<Path> all(List<Path> pictures, @Nullable Path strip, @Nullable Path trace) {
        var all = new ArrayList<>(pictures);
        if (strip != null) {
            all.add(strip);
        }
        if (trace != null) {
            all.add(trace);
        }
        return all;
    }

    /**
     * Finds out now whether they can be written later.
     *
     * @throws IOException if not
     */
    void requireWritable() throws IOException {
        for (Path file : all()) {
            Output.requireWritable(file);
        }
    }

    /** Writes all files. */
    void write(GenerationParameters parameters, Watcher watcher) throws IOException {
        write(parameters, watcher, file -> true);
    }

    private void write(GenerationParameters parameters, Watcher watcher, Predicate<Path> chosen)
            throws IOException {
        List<Picture> all = parameters.result().pictures();
        for (int i = 0; i < pictures.size(); i++) {
            if (chosen.test(pictures.get(i))) {
                Raster raster = grid ? Raster.grid(all) : Raster.of(all.get(i));
                writePng(pictures.get(i), raster, parameters.texts(i));
            }
        }
        if (strip != null && chosen.test(strip)) {
            writePng(strip, watcher.strip(), parameters.texts(0));
        }
        if (trace != null && chosen.test(trace)) {
            SafetensorsWriter.write(trace, watcher.trace(), Map.of());
        }
    }

    private static void writePng(Path file, Raster raster, Map<String, String> texts)
            throws IOException {
        Output.write(file, stream -> Png.write(raster, texts, stream));
    }

    /**
     * Waits for the weights' hashes and puts them into the pictures that are written, unless
     * somebody took those.
     *
     * @param cancelled whether not to wait any longer
     */
    void complete(
            GenerationParameters parameters,
            Watcher watcher,
            WeightHashes hashes,
            BooleanSupplier cancelled)
            throws IOException {
        Map<Path, State> written = new HashMap<>();
        for (Path file : all()) {
            if (!file.equals(trace)) {
                written.put(file, State.of(file));
            }
        }
        hashes.await(cancelled);
        if (hashes.isDone()) {
            write(
                    parameters.with(hashes.now()),
                    watcher,
                    file -> State.of(file).isStill(written.get(file)));
        }
    }

    /** A file as it was left; without a time, one that is gone. */
    private record State(@Nullable FileTime time, @Nullable Object key) {
        boolean isStill(@Nullable State before) {
            return time != null && equals(before);
        }

        static State of(Path path) {
            try {
                var file = Files.readAttributes(path, BasicFileAttributes.class);
                return new State(file.lastModifiedTime(), file.fileKey());
            } catch (IOException e) {
                return new State(null, null);
            }
        }
    }
}
