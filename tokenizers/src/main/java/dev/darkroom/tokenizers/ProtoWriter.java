package dev.darkroom.tokenizers;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Writes protocol-buffer messages, the counterpart of {@link ProtoReader}. */
final class ProtoWriter {
    private static final int VARINT = 0;
    private static final int BYTES = 2;
    private static final int FIXED32 = 5;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    ProtoWriter integer(int field, long value) {
        varint((long) field << 3 | VARINT);
        varint(value);
        return this;
    }

    ProtoWriter float32(int field, double value) {
        varint((long) field << 3 | FIXED32);
        var four = ByteBuffer.allocate(Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        out.writeBytes(four.putFloat((float) value).array());
        return this;
    }

    ProtoWriter string(int field, String value) {
        return bytes(field, Utf8.bytes(value));
    }

    ProtoWriter message(int field, ProtoWriter value) {
        return bytes(field, value.toByteArray());
    }

    ProtoWriter bytes(int field, byte[] value) {
        varint((long) field << 3 | BYTES);
        varint(value.length);
        out.writeBytes(value);
        return this;
    }

    byte[] toByteArray() {
        return out.toByteArray();
    }

    private void varint(long value) {
        for (; (value & ~0x7FL) != 0; value >>>= 7) {
            out.write((int) (value & 0x7F | 0x80));
        }
        out.write((int) value);
    }
}
