package dev.darkroom.runtime.safetensors;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Makes files by hand, right or wrong. */
final class RawFile {
    private RawFile() {}

    /** A file with this header, as it is, and that many data bytes (0, 1, 0, 1 …). */
    static byte[] of(String json, int dataBytes) {
        return of(json.getBytes(StandardCharsets.UTF_8), dataBytes);
    }

    static byte[] of(byte[] json, int dataBytes) {
        return withLength(json.length, json, dataBytes);
    }

    /** A file whose header's length says something else than the header has. */
    static byte[] withLength(long length, byte[] json, int dataBytes) {
        var out = new ByteArrayOutputStream();
        out.writeBytes(
                ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(length).array());
        out.writeBytes(json);
        for (int i = 0; i < dataBytes; i++) {
            out.write(i & 1);
        }
        return out.toByteArray();
    }

    /** A tensor's entry with its name. */
    static String entry(String name, String dtype, String shape, long begin, long end) {
        return "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%d,%d]}"
                .formatted(name, dtype, shape, begin, end);
    }
}
