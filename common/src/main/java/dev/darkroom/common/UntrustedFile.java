package dev.darkroom.common;

import java.io.CharConversionException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Reads files whole that may come from anybody: what they are is looked at before. */
public final class UntrustedFile {
    /** About how much heap a byte of JSON can take as a tree: a number or an empty list each. */
    public static final int JSON_TREE = 32;

    private static final String NO_TEXT = "it is not text in UTF-8";

    private UntrustedFile() {}

    /** A file is not read, for a reason that its message says. */
    private static final class RefusedException extends IOException {
        private static final long serialVersionUID = 1;

        RefusedException(String reason) {
            super(reason);
        }
    }

    /**
     * Reads a regular file. It is not read past the size that it is listed with: those of {@code
     * /proc} are listed with none, and some have no end.
     *
     * @param most bytes of a file of its kind
     * @param heapPerByte what a byte of it can take in Java's heap
     * @throws IOException if there are more, if it is a pipe or a device, or if it can't be read;
     *     {@link #problem} says why
     */
    public static byte[] read(Path file, long most, int heapPerByte) throws IOException {
        long size = Files.size(file);
        if (!Files.isRegularFile(file)) {
            throw new RefusedException("it is not a regular file");
        }
        if (size > most) {
            throw new RefusedException(
                    "it has "
                            + ByteSize.format(size)
                            + ", and no file of its kind is larger than "
                            + ByteSize.format(most));
        }
        long heap = Runtime.getRuntime().maxMemory();
        if (size * heapPerByte > heap) {
            throw new RefusedException(
                    "reading its "
                            + ByteSize.format(size)
                            + " may take "
                            + ByteSize.format(size * heapPerByte)
                            + " of Java's heap, which has "
                            + ByteSize.format(heap)
                            + "; give it more with -Xmx");
        }
        try (var in = Files.newInputStream(file)) {
            return in.readNBytes((int) size);
        }
    }

    /**
     * Says why a file could not be read, where Java's own message may be its path alone.
     *
     * @return such as "it can't be read: access is denied", without the file's name
     */
    public static String problem(IOException e) {
        return switch (e) {
            case RefusedException refused -> String.valueOf(refused.getMessage());
            case NoSuchFileException gone -> "it can't be read: there is no such file";
            case AccessDeniedException denied -> "it can't be read: access is denied";
            case CharacterCodingException text -> NO_TEXT;
            case CharConversionException text -> NO_TEXT; // Jackson's
            case FileSystemException other when other.getReason() != null ->
                    "it can't be read: " + other.getReason();
            default ->
                    "it can't be read: " + (e.getMessage() == null ? e.toString() : e.getMessage());
        };
    }
}
