package dev.darkroom.tokenizers;

import java.nio.file.Path;
import java.util.Arrays;

/**
 * The fields of a protocol-buffers message, one after another: {@link #next()}, then one of the
 * value methods or nothing to skip it. See "Encoding" in the Protocol Buffers documentation.
 */
final class ProtoReader {
    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int BYTES = 2;
    private static final int FIXED32 = 5;

    private final Path file;
    private final byte[] data;
    private final int end;
    private int next;
    private int field;
    private int wireType;
    private int value; // position of the current field's value

    ProtoReader(Path file, byte[] data) {
        this(file, data, 0, data.length);
    }

    private ProtoReader(Path file, byte[] data, int from, int to) {
        this.file = file;
        this.data = data;
        this.next = from;
        this.end = to;
    }

    /** Moves to the next field; false at the end of the message. */
    boolean next() throws TokenizerException {
        if (next == end) {
            return false;
        }
        long tag = varint();
        field = (int) (tag >>> 3);
        wireType = (int) tag & 7;
        if (tag < 0 || tag >>> 32 != 0 || field == 0) {
            throw broken();
        }
        value = next;
        switch (wireType) {
            case VARINT -> varint();
            case FIXED64 -> skip(8);
            case FIXED32 -> skip(4);
            case BYTES -> skip(varint());
            default -> throw broken();
        }
        return true;
    }

    int field() {
        return field;
    }

    long integer() throws TokenizerException {
        expect(VARINT);
        int after = next;
        next = value;
        long result = varint();
        next = after;
        return result;
    }

    float float32() throws TokenizerException {
        expect(FIXED32);
        int bits = 0;
        for (int i = 3; i >= 0; i--) {
            bits = (bits << 8) | (data[value + i] & 0xFF);
        }
        return Float.intBitsToFloat(bits);
    }

    byte[] bytes() throws TokenizerException {
        var inner = message();
        return Arrays.copyOfRange(data, inner.next, inner.end);
    }

    String string() throws TokenizerException {
        var inner = message();
        return Utf8.text(data, inner.next, inner.end);
    }

    /** The current field as a message of its own. */
    ProtoReader message() throws TokenizerException {
        expect(BYTES);
        int after = next;
        next = value;
        varint();
        var inner = new ProtoReader(file, data, next, after);
        next = after;
        return inner;
    }

    private void expect(int type) throws TokenizerException {
        if (wireType != type) {
            throw broken();
        }
    }

    private void skip(long bytes) throws TokenizerException {
        if (bytes < 0 || bytes > end - next) {
            throw broken();
        }
        next += (int) bytes;
    }

    private long varint() throws TokenizerException {
        long result = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (next == end) {
                throw broken();
            }
            byte b = data[next++];
            result |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return result;
            }
        }
        throw broken();
    }

    private TokenizerException broken() {
        return new TokenizerException(
                file, "not a SentencePiece model, or truncated (near byte " + next + ")");
    }
}
