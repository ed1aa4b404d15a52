package dev.darkroom.tests.fuzz;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** Safetensors files from their parts, valid or not. */
final class RawSafetensors {
    private RawSafetensors() {}

    /** A file whose header is {@code json} and whose data are that many bytes. */
    static byte[] of(String json, int dataBytes) {
        return of(json.getBytes(StandardCharsets.UTF_8).length, json, dataBytes);
    }

    /** As {@link #of(String, int)}, with another length of the header. */
    static byte[] of(long length, String json, int dataBytes) {
        byte[] header = json.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(Long.BYTES + header.length + dataBytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(length)
                .put(header)
                .array();
    }

    /** An entry of a header. */
    static String entry(String name, String dtype, String shape, long begin, long end) {
        return String.format(
                Locale.ROOT,
                "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}",
                name,
                dtype,
                shape,
                begin,
                end);
    }

    /** A whole file with one tensor of a byte. */
    static byte[] ofOneByte(String name) {
        return of("{" + entry(name, "U8", "[1]", 0, 1) + "}", 1);
    }
}
