package dev.darkroom.runtime.safetensors;

import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What is in a checkpoint, from the headers alone.
 *
 * @param root the file or folder
 * @param parts by name
 */
public record Inspection(Path root, List<Part> parts) {
    /** How far below a model's folder its weights may lie. */
    private static final int DEPTH = 8;

    public Inspection {
        parts = List.copyOf(parts);
    }

    /**
     * The files of one folder.
     *
     * @param name the folder, relative to the root; empty for the root itself
     * @param files by name
     */
    public record Part(String name, List<SafetensorsHeader> files) {
        public Part {
            files = List.copyOf(files);
        }

        /** Returns the bytes of the tensors. */
        public long tensorBytes() {
            return files.stream().mapToLong(SafetensorsHeader::tensorBytes).sum();
        }

        /** Returns the number of tensors. */
        public int tensorCount() {
            return files.stream().mapToInt(file -> file.tensors().size()).sum();
        }
    }

    /**
     * Reads the headers of a file, of an index's shards, or of every safetensors file in and below
     * a folder. Indexes are checked against their shards.
     *
     * @throws SafetensorsException if a file breaks a rule of the format, or there is none
     * @throws IOException if something can't be read
     */
    public static Inspection of(Path fileOrFolder) throws IOException {
        if (!Files.isDirectory(fileOrFolder)) {
            return new Inspection(fileOrFolder, List.of(new Part("", headers(fileOrFolder))));
        }
        var parts = new TreeMap<Path, List<SafetensorsHeader>>();
        var pickles = new ArrayList<Path>();
        for (var file : filesBelow(fileOrFolder)) {
            var name = file.getFileName().toString();
            if (name.endsWith(".safetensors")) {
                parts.computeIfAbsent(
                                fileOrFolder.relativize(file.resolveSibling("")),
                                folder -> new ArrayList<>())
                        .add(SafetensorsHeader.read(file));
            } else if (name.contains(".safetensors.") && name.endsWith(".json")) {
                headers(file);
            } else if (ForeignFormats.isPickleName(name)) {
                pickles.add(file);
            }
        }
        if (parts.isEmpty() && !pickles.isEmpty()) {
            throw ForeignFormats.pickle(pickles.getFirst());
        }
        if (parts.isEmpty()) {
            throw new SafetensorsException(
                    Kind.MISSING_FILE,
                    fileOrFolder,
                    null,
                    "there is no .safetensors file in or below this folder");
        }
        return new Inspection(
                fileOrFolder,
                parts.entrySet().stream()
                        .map(part -> new Part(part.getKey().toString(), part.getValue()))
                        .toList());
    }

    private static List<SafetensorsHeader> headers(Path fileOrIndex) throws IOException {
        try (var checkpoint = Safetensors.open(fileOrIndex, LoadMode.MAPPED)) {
            return checkpoint.headers();
        }
    }

    private static List<Path> filesBelow(Path folder) throws IOException {
        try (var files = Files.walk(folder, DEPTH, FileVisitOption.FOLLOW_LINKS)) {
            var found = new ArrayList<Path>();
            for (var file : files.sorted().toList()) {
                boolean isWeights = file.toString().contains(".safetensors");
                if (isWeights) {
                    ForeignFormats.requireFinished(file);
                }
                if (Files.isRegularFile(file)) {
                    found.add(file);
                }
            }
            return found;
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    /** Returns the bytes of all tensors. */
    public long tensorBytes() {
        return parts.stream().mapToLong(Part::tensorBytes).sum();
    }

    /** Returns the number of all tensors. */
    public int tensorCount() {
        return parts.stream().mapToInt(Part::tensorCount).sum();
    }

    /** Returns the bytes of the tensors of each dtype that occurs. */
    public Map<SafetensorsDType, Long> bytesByDType() {
        var bytes = new TreeMap<SafetensorsDType, Long>();
        for (var part : parts) {
            for (var file : part.files) {
                file.tensors()
                        .values()
                        .forEach(tensor -> bytes.merge(tensor.dtype(), tensor.bytes(), Long::sum));
            }
        }
        return bytes;
    }
}
