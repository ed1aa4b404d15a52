package dev.darkroom.tests;

import dev.darkroom.runtime.Shape;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Safetensors of a header and a length, which take no space on the disk however large they are. */
final class SparseWeights {
    private SparseWeights() {}

    /**
     * Writes a file.
     *
     * @param dtype such as {@code BF16}
     * @param size bytes of a number
     */
    static void write(Path file, Map<String, Shape> tensors, String dtype, int size)
            throws IOException {
        List<String> entries = new ArrayList<>();
        long end = 0;
        for (var each : tensors.entrySet()) {
            long begin = end;
            end += each.getValue().elements() * size;
            entries.add(
                    String.format(
                            Locale.ROOT,
                            "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}",
                            each.getKey(),
                            dtype,
                            each.getValue(),
                            begin,
                            end));
        }
        byte[] header = ("{" + String.join(",", entries) + "}").getBytes(StandardCharsets.UTF_8);
        Files.createDirectories(file.getParent());
        try (var out = new RandomAccessFile(file.toFile(), "rw")) {
            out.setLength(0);
            out.write(
                    ByteBuffer.allocate(Long.BYTES)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putLong(header.length)
                            .array());
            out.write(header);
            out.setLength(Long.BYTES + header.length + end);
        }
    }
}
