package dev.darkroom.runtime.safetensors;

import dev.darkroom.common.ByteSize;
import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The header of one file, read and checked without touching the tensors' bytes.
 *
 * @param file the file
 * @param headerBytes length of the JSON, padding included
 * @param tensors by name, in the order of their bytes in the file
 * @param metadata the file's {@code __metadata__}, in the order of the file
 */
public record SafetensorsHeader(
        Path file,
        long headerBytes,
        Map<String, StoredTensor> tensors,
        Map<String, String> metadata) {
    /** The longest header that is read, as in the format's reference implementation. */
    public static final long MAX_BYTES = 100_000_000;

    /** The most dimensions that a tensor may have. */
    public static final int MAX_RANK = 64;

    /** Bytes of the header's length. */
    static final int LENGTH_BYTES = Long.BYTES;

    /** Heap that a byte of JSON turns into at worst: many tensors with short names. */
    private static final long HEAP_PER_BYTE = 12;

    public SafetensorsHeader {
        tensors = Collections.unmodifiableMap(tensors);
        metadata = Collections.unmodifiableMap(metadata);
    }

    /**
     * Reads a file's header.
     *
     * @throws SafetensorsException if the file breaks a rule of the format
     * @throws IOException if it can't be read
     */
    public static SafetensorsHeader read(Path file) throws IOException {
        try (var channel = open(file)) {
            return read(file, channel);
        } catch (ClosedByInterruptException e) {
            var error = new InterruptedIOException("interrupted while reading " + file);
            error.initCause(e);
            throw error;
        }
    }

    /** Opens a regular file that is no pickle by its name. */
    static FileChannel open(Path file) throws IOException {
        ForeignFormats.checkPath(file);
        return FileChannel.open(file, StandardOpenOption.READ);
    }

    static SafetensorsHeader read(Path file, FileChannel channel) throws IOException {
        long fileBytes = channel.size();
        if (fileBytes < LENGTH_BYTES) {
            throw new SafetensorsException(
                    Kind.FILE_TOO_SHORT,
                    file,
                    null,
                    "the file has " + fileBytes + " bytes, but a header's length alone takes 8");
        }
        long length = read(file, channel, 0, LENGTH_BYTES).order(ByteOrder.LITTLE_ENDIAN).getLong();
        checkLength(file, channel, length, fileBytes);
        byte[] json = read(file, channel, LENGTH_BYTES, (int) length).array();
        return of(file, json, fileBytes);
    }

    /**
     * Reads a header without its file, such as one of a file at a hub.
     *
     * @param file what to call it, which need not be there
     * @param json the header after its length
     * @param fileBytes size of the whole file
     * @throws SafetensorsException if it breaks a rule of the format
     */
    public static SafetensorsHeader of(Path file, byte[] json, long fileBytes) throws IOException {
        if (json.length > 0 && json[json.length - 1] == 0) {
            throw new SafetensorsException(
                    Kind.TRAILING_NUL,
                    file,
                    null,
                    "the header is padded with NUL, not with spaces");
        }
        requireHeap(file, json.length);
        var parsed = HeaderParser.parse(file, json);
        long start = LENGTH_BYTES + (long) json.length;
        return new SafetensorsHeader(
                file,
                json.length,
                layOut(file, parsed.tensors(), start, fileBytes - start),
                parsed.metadata());
    }

    private static void checkLength(Path file, FileChannel channel, long length, long fileBytes)
            throws IOException {
        Kind kind;
        String what;
        if (length < 0) {
            kind = Kind.HEADER_LENGTH_OVERFLOW;
            what = "the header's length is 2^63 or more";
        } else if (length > MAX_BYTES) {
            kind = Kind.HEADER_TOO_LARGE;
            what =
                    String.format(
                            Locale.ROOT,
                            "the header's length is %d, more than %d",
                            length,
                            MAX_BYTES);
        } else if (LENGTH_BYTES + length > fileBytes) {
            kind = Kind.HEADER_BEYOND_FILE;
            what =
                    String.format(
                            Locale.ROOT,
                            "the header's length is %d, but only %d bytes follow it",
                            length,
                            fileBytes - LENGTH_BYTES);
        } else {
            requireHeap(file, length);
            return;
        }
        // What is no safetensors file at all usually fails here: say what it is instead.
        ForeignFormats.checkContent(file, channel);
        throw new SafetensorsException(kind, file, null, what);
    }

    /** Fails if JSON of that length might not fit the Java heap once it is parsed. */
    static void requireHeap(Path file, long length) throws SafetensorsException {
        long heap = Runtime.getRuntime().maxMemory();
        if (length * HEAP_PER_BYTE > heap) {
            throw new SafetensorsException(
                    Kind.NOT_ENOUGH_MEMORY,
                    file,
                    null,
                    String.format(
                            Locale.ROOT,
                            "reading %s of JSON may take %s of Java heap, which has %s",
                            ByteSize.format(length),
                            ByteSize.format(length * HEAP_PER_BYTE),
                            ByteSize.format(heap)));
        }
    }

    /** Checks that the tensors fill the file without holes, and places them in it. */
    private static Map<String, StoredTensor> layOut(
            Path file, Map<String, HeaderParser.Entry> entries, long start, long available)
            throws SafetensorsException {
        var order = new ArrayList<>(entries.entrySet());
        order.sort(
                Map.Entry.comparingByValue(
                        Comparator.comparingLong(HeaderParser.Entry::begin)
                                .thenComparingLong(HeaderParser.Entry::end)));
        var tensors = LinkedHashMap.<String, StoredTensor>newLinkedHashMap(order.size());
        long end = 0;
        for (var named : order) {
            var name = named.getKey();
            var entry = named.getValue();
            if (entry.begin() > end) {
                throw new SafetensorsException(
                        Kind.HOLE,
                        file,
                        name,
                        String.format(
                                Locale.ROOT,
                                "the %d bytes before it belong to no tensor",
                                entry.begin() - end));
            }
            if (entry.begin() < end) {
                throw new SafetensorsException(
                        Kind.OVERLAP,
                        file,
                        name,
                        String.format(
                                Locale.ROOT,
                                "it begins at %d, but the tensor before it ends at %d",
                                entry.begin(),
                                end));
            }
            end = entry.end();
            if (end > available) {
                throw new SafetensorsException(
                        Kind.BYTES_MISSING,
                        file,
                        name,
                        String.format(
                                Locale.ROOT,
                                "it ends at byte %d of the data, but the file has only %d",
                                end,
                                available));
            }
            tensors.put(
                    name,
                    new StoredTensor(
                            name,
                            entry.dtype(),
                            entry.shape(),
                            file,
                            start + entry.begin(),
                            start + end));
        }
        if (end < available) {
            throw new SafetensorsException(
                    Kind.BYTES_LEFT_OVER,
                    file,
                    null,
                    String.format(
                            Locale.ROOT,
                            "%d bytes behind the last tensor belong to none",
                            available - end));
        }
        return tensors;
    }

    private static ByteBuffer read(Path file, FileChannel channel, long position, int count)
            throws IOException {
        var buffer = ByteBuffer.allocate(count);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer, position + buffer.position()) < 0) {
                throw new SafetensorsException(
                        Kind.CHANGED, file, null, "the file became shorter while it was read");
            }
        }
        return buffer.flip();
    }

    /** Returns the bytes of the tensors together. */
    public long tensorBytes() {
        return tensors.values().stream().mapToLong(StoredTensor::bytes).sum();
    }

    /** Returns the names of the tensors, in the order of their bytes. */
    public List<String> names() {
        return List.copyOf(tensors.keySet());
    }
}
