package dev.darkroom.runtime.safetensors;

import dev.darkroom.runtime.DType;

import org.jspecify.annotations.Nullable;

import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The element types of the format, in the format's order: a writer stores the tensors of later
 * constants first, so that every tensor is aligned. The names are those in the header.
 */
public enum SafetensorsDType {
    BOOL(8, DType.BOOL),
    F4(4, null),
    F6_E2M3(6, null),
    F6_E3M2(6, null),
    U8(8, DType.UINT8),
    I8(8, DType.INT8),
    F8_E5M2(8, DType.FLOAT8_E5M2),
    F8_E4M3(8, DType.FLOAT8_E4M3FN),
    F8_E8M0(8, DType.FLOAT8_E8M0FNU),
    F8_E4M3FNUZ(8, DType.FLOAT8_E4M3FNUZ),
    F8_E5M2FNUZ(8, DType.FLOAT8_E5M2FNUZ),
    I16(16, DType.INT16),
    U16(16, DType.UINT16),
    F16(16, DType.FLOAT16),
    BF16(16, DType.BFLOAT16),
    I32(32, DType.INT32),
    U32(32, DType.UINT32),
    F32(32, DType.FLOAT32),
    C64(64, DType.COMPLEX64),
    F64(64, DType.FLOAT64),
    I64(64, DType.INT64),
    U64(64, DType.UINT64);

    private static final Map<String, SafetensorsDType> BY_NAME =
            Stream.of(values()).collect(Collectors.toMap(Enum::name, Function.identity()));

    private final int bits;
    private final @Nullable DType tensorType;

    SafetensorsDType(int bits, @Nullable DType tensorType) {
        this.bits = bits;
        this.tensorType = tensorType;
    }

    /** Returns the dtype of that name in a header; empty if the format knows none. */
    static Optional<SafetensorsDType> named(String name) {
        return Optional.ofNullable(BY_NAME.get(name));
    }

    /** Returns the bits of one element: 4 and 6 occur. */
    public int bits() {
        return bits;
    }

    /** Returns the type of tensors with these elements; empty for F4 and F6, which have none. */
    public Optional<DType> tensorType() {
        return Optional.ofNullable(tensorType);
    }

    /** Returns the type in a file for tensors of that type; empty if the format has none. */
    public static Optional<SafetensorsDType> of(DType tensorType) {
        Objects.requireNonNull(tensorType, "tensorType"); // F4 has none
        return Stream.of(values()).filter(dtype -> dtype.tensorType == tensorType).findFirst();
    }
}
