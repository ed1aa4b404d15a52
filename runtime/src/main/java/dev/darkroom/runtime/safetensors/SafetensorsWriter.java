package dev.darkroom.runtime.safetensors;

import dev.darkroom.common.ByteSize;
import dev.darkroom.common.WholeFile;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.WeightSource;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Writes safetensors files, byte for byte as the format's reference implementation does (with its
 * metadata sorted by key).
 *
 * <p>The bytes go to a temporary file in the same folder, which is forced to disk and then renamed:
 * whoever opens the path finds the old file or the new one, never a part, and a failure leaves the
 * old one and no rubbish. So a checkpoint may be saved onto a file that its own tensors are mapped
 * from: they keep the old bytes. (Windows refuses that rename; close the checkpoint and its tensors
 * there first.) If the path is a symbolic link, the link is replaced, not the file behind it.
 */
public final class SafetensorsWriter {
    private static final int ALIGNMENT = 8;

    /** The most bytes that are written at once. */
    private static final int CHUNK = 1 << 30;

    private record Entry(String name, SafetensorsDType dtype, Shape shape) {
        long bytes() {
            return Math.multiplyExact(shape.elements(), dtype.bits() / Byte.SIZE);
        }
    }

    private SafetensorsWriter() {}

    /**
     * Writes tensors, from any device and with any strides. Tensors that share memory are each
     * written in full.
     *
     * @param file where to; replaced if it exists
     * @param tensors by name, in any order
     * @param metadata the {@code __metadata__}; empty for none
     * @throws IllegalArgumentException if a tensor's type does not exist in the format, or a name
     *     can't be written
     * @throws IOException if the folder is missing or can't be written to, or the disk is full
     */
    public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata)
            throws IOException {
        write(file, WeightSource.of(file.toString(), tensors), metadata);
    }

    /**
     * Writes the tensors of a source as {@link #write(Path, Map, Map)} does. They are read one by
     * one, so that no more of them is in memory than the largest takes.
     *
     * @param file where to; replaced if it exists
     * @param tensors in any order
     * @param metadata the {@code __metadata__}; empty for none
     * @throws IllegalArgumentException if a tensor's type does not exist in the format or in
     *     libtorch, or a name can't be written
     * @throws IOException if a tensor can't be read or is not what the source says that it is, the
     *     folder is missing or can't be written to, or the disk is full
     */
    public static void write(Path file, WeightSource tensors, Map<String, String> metadata)
            throws IOException {
        var entries = ordered(tensors);
        byte[] header = header(entries, metadata);
        long total =
                SafetensorsHeader.LENGTH_BYTES
                        + header.length
                        + entries.stream().mapToLong(Entry::bytes).sum();
        var folder = folder(file, total);
        WholeFile.write(
                file,
                temporary -> {
                    try (var out = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
                        var length = ByteBuffer.allocate(SafetensorsHeader.LENGTH_BYTES);
                        length.order(ByteOrder.LITTLE_ENDIAN).putLong(header.length).flip();
                        write(out, length);
                        write(out, ByteBuffer.wrap(header));
                        for (var entry : entries) {
                            write(out, entry, tensors);
                        }
                        out.force(true);
                    }
                });
        force(folder);
    }

    /** Sorts entries: later dtypes first, then by the bytes of the name. */
    private static List<Entry> ordered(WeightSource tensors) {
        var entries = new ArrayList<Entry>(tensors.keys().size());
        for (String name : tensors.keys()) {
            if (name.equals(HeaderParser.METADATA)) {
                throw new IllegalArgumentException(
                        "no tensor can have the name " + HeaderParser.METADATA);
            }
            var dtype = tensors.dtype(name).flatMap(SafetensorsDType::of);
            if (dtype.isEmpty()) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "tensor %s is %s, which %s; convert it first",
                                Names.quote(name),
                                tensors.describe(name),
                                tensors.dtype(name).isPresent()
                                        ? "safetensors files don't have"
                                        : "libtorch has no tensors of"));
            }
            entries.add(new Entry(name, dtype.get(), tensors.shape(name)));
        }
        entries.sort(
                Comparator.comparing(Entry::dtype)
                        .reversed()
                        .thenComparing(
                                entry -> entry.name.getBytes(StandardCharsets.UTF_8),
                                Arrays::compareUnsigned));
        return entries;
    }

    private static byte[] header(List<Entry> entries, Map<String, String> metadata) {
        var json = new StringBuilder("{");
        if (!metadata.isEmpty()) {
            json.append(quote(HeaderParser.METADATA)).append(":{");
            new TreeMap<>(metadata)
                    .forEach(
                            (key, value) ->
                                    json.append(quote(key))
                                            .append(':')
                                            .append(quote(value))
                                            .append(','));
            json.setCharAt(json.length() - 1, '}');
            json.append(',');
        }
        long begin = 0;
        for (var entry : entries) {
            long end = begin + entry.bytes();
            json.append(quote(entry.name))
                    .append(":{\"dtype\":\"")
                    .append(entry.dtype)
                    .append("\",\"shape\":")
                    .append(entry.shape.toString().replace(" ", ""))
                    .append(String.format(Locale.ROOT, ",\"data_offsets\":[%d,%d]},", begin, end));
            begin = end;
        }
        if (json.length() > 1) {
            json.setLength(json.length() - 1);
        }
        byte[] bytes = json.append('}').toString().getBytes(StandardCharsets.UTF_8);
        int padded = Math.ceilDiv(bytes.length, ALIGNMENT) * ALIGNMENT;
        if (padded > SafetensorsHeader.MAX_BYTES) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "the names of %d tensors make a header of %s, but readers accept no"
                                    + " more than %d bytes",
                            entries.size(),
                            ByteSize.format(padded),
                            SafetensorsHeader.MAX_BYTES));
        }
        byte[] header = Arrays.copyOf(bytes, padded);
        Arrays.fill(header, bytes.length, padded, (byte) ' ');
        return header;
    }

    /** Writes a JSON string with the escapes that the reference implementation writes. */
    private static String quote(String text) {
        var json = new StringBuilder("\"");
        text.codePoints()
                .forEach(
                        c -> {
                            if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
                                throw new IllegalArgumentException(
                                        Names.quote(text)
                                                + " has half a surrogate pair, which UTF-8 can't"
                                                + " hold");
                            }
                            switch (c) {
                                case '"' -> json.append("\\\"");
                                case '\\' -> json.append("\\\\");
                                case '\b' -> json.append("\\b");
                                case '\f' -> json.append("\\f");
                                case '\n' -> json.append("\\n");
                                case '\r' -> json.append("\\r");
                                case '\t' -> json.append("\\t");
                                default -> {
                                    if (c < 0x20) {
                                        json.append(String.format(Locale.ROOT, "\\u%04x", c));
                                    } else {
                                        json.appendCodePoint(c);
                                    }
                                }
                            }
                        });
        return json.append('"').toString();
    }

    /** Returns the folder to write in, after the checks that can be made before writing. */
    private static Path folder(Path file, long bytes) throws IOException {
        if (Files.isDirectory(file)) {
            throw new IOException(file + " is a folder: give the name of a file in it");
        }
        var folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder)) {
            throw new NoSuchFileException(
                    file.toString(), null, "its folder does not exist: make it first");
        }
        long free = Files.getFileStore(folder).getUsableSpace();
        if (bytes > free) {
            throw new IOException(
                    String.format(
                            Locale.ROOT,
                            "%s needs %s on disk, but only %s are free in its folder",
                            file,
                            ByteSize.format(bytes),
                            ByteSize.format(free)));
        }
        return folder;
    }

    private static void write(FileChannel out, Entry entry, WeightSource tensors)
            throws IOException {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            var tensor = tensors.read(entry.name);
            if (!tensor.shape().equals(entry.shape)
                    || !entry.dtype.tensorType().equals(Optional.of(tensor.dtype()))) {
                throw new IOException(
                        String.format(
                                Locale.ROOT,
                                "%s: the tensor %s is %s%s, not %s%s as was said of it",
                                tensors.name(),
                                Names.quote(entry.name),
                                tensor.dtype(),
                                tensor.shape(),
                                entry.dtype,
                                entry.shape));
            }
            var elements = tensor.to(Device.CPU).contiguous();
            long size = elements.elements() * elements.dtype().bytes();
            for (long done = 0; done < size; ) {
                var chunk = elements.buffer(done, (int) Math.min(CHUNK, size - done));
                done += chunk.remaining();
                write(out, chunk);
            }
        }
    }

    private static void write(FileChannel out, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            out.write(bytes);
        }
    }

    /** Makes the rename itself lasting; Windows can't and need not do that. */
    private static void force(Path folder) throws IOException {
        if (folder.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            try (var channel = FileChannel.open(folder, StandardOpenOption.READ)) {
                channel.force(true);
            }
        }
    }
}
