package dev.darkroom.common;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** What is looked at before a file is read whole: it may come from anybody. */
public final class FileSize {
    /** About how much heap a byte of JSON can take as a tree: a number or an empty list each. */
    public static final int JSON_TREE = 32;

    private FileSize() {}

    /**
     * Fails for a file that is not to be read whole, as {@link #problem}.
     *
     * @throws IOException that says why, without the file's name
     */
    public static void require(Path file, long most, int heapPerByte) throws IOException {
        var problem = problem(file, most, heapPerByte);
        if (problem.isPresent()) {
            throw new IOException(problem.get());
        }
    }

    /**
     * Why a file is not read; empty if it may be.
     *
     * @param most bytes of a file of its kind
     * @param heapPerByte what a byte of it can take in Java's heap
     */
    public static Optional<String> problem(Path file, long most, int heapPerByte)
            throws IOException {
        long size = Files.size(file);
        if (size > most) {
            return Optional.of(
                    "it has "
                            + ByteSize.format(size)
                            + ", and no file of its kind is larger than "
                            + ByteSize.format(most));
        }
        long heap = Runtime.getRuntime().maxMemory();
        if (size * heapPerByte > heap) {
            return Optional.of(
                    "reading its "
                            + ByteSize.format(size)
                            + " may take "
                            + ByteSize.format(size * heapPerByte)
                            + " of Java's heap, which has "
                            + ByteSize.format(heap)
                            + "; give it more with -Xmx");
        }
        return Optional.empty();
    }
}
