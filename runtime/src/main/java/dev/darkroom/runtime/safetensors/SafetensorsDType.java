package dev.darkroom.runtime.safetensors;

import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The element types of the format, in the format's order: a writer stores the tensors of later
 * constants first, so that every tensor is aligned. The names are those in the header.
 */
public enum SafetensorsDType {
    BOOL(8),
    F4(4),
    F6_E2M3(6),
    F6_E3M2(6),
    U8(8),
    I8(8),
    F8_E5M2(8),
    F8_E4M3(8),
    F8_E8M0(8),
    F8_E4M3FNUZ(8),
    F8_E5M2FNUZ(8),
    I16(16),
    U16(16),
    F16(16),
    BF16(16),
    I32(32),
    U32(32),
    F32(32),
    C64(64),
    F64(64),
    I64(64),
    U64(64);

    private static final Map<String, SafetensorsDType> BY_NAME =
            Stream.of(values()).collect(Collectors.toMap(Enum::name, Function.identity()));

    private final int bits;

    SafetensorsDType(int bits) {
        this.bits = bits;
    }

    /** The dtype of that name in a header; empty if the format knows none. */
    static Optional<SafetensorsDType> named(String name) {
        return Optional.ofNullable(BY_NAME.get(name));
    }

    /** Bits of one element: 4 and 6 occur. */
    public int bits() {
        return bits;
    }
}
