package dev.darkroom.runtime;

/**
 * The type of a tensor's elements. The names are PyTorch's in capitals; {@link #code()} is
 * libtorch's {@code c10::ScalarType}.
 */
public enum DType {
    UINT8(0, 1, Kind.INTEGER),
    INT8(1, 1, Kind.INTEGER),
    INT16(2, 2, Kind.INTEGER),
    INT32(3, 4, Kind.INTEGER),
    INT64(4, 8, Kind.INTEGER),
    FLOAT16(5, 2, Kind.FLOAT),
    FLOAT32(6, 4, Kind.FLOAT),
    FLOAT64(7, 8, Kind.FLOAT),
    COMPLEX64(9, 8, Kind.COMPLEX),
    COMPLEX128(10, 16, Kind.COMPLEX),
    BOOL(11, 1, Kind.BOOL),
    BFLOAT16(15, 2, Kind.FLOAT),
    FLOAT8_E5M2(23, 1, Kind.FLOAT),
    FLOAT8_E4M3FN(24, 1, Kind.FLOAT),
    FLOAT8_E5M2FNUZ(25, 1, Kind.FLOAT),
    FLOAT8_E4M3FNUZ(26, 1, Kind.FLOAT),
    UINT16(27, 2, Kind.INTEGER),
    UINT32(28, 4, Kind.INTEGER),
    UINT64(29, 8, Kind.INTEGER),
    FLOAT8_E8M0FNU(44, 1, Kind.FLOAT);

    private enum Kind {
        INTEGER,
        FLOAT,
        COMPLEX,
        BOOL
    }

    private static final DType[] BY_CODE = new DType[64];

    static {
        for (DType dtype : values()) {
            BY_CODE[dtype.code] = dtype;
        }
    }

    private final int code;
    private final int bytes;
    private final Kind kind;

    DType(int code, int bytes, Kind kind) {
        this.code = code;
        this.bytes = bytes;
        this.kind = kind;
    }

    /** Returns libtorch's number of this type. */
    public int code() {
        return code;
    }

    /** Returns the size of an element in bytes. */
    public int bytes() {
        return bytes;
    }

    /** Returns whether this is a real floating-point type. */
    public boolean isFloatingPoint() {
        return kind == Kind.FLOAT;
    }

    /** Returns whether this is a signed or unsigned integer type; {@link #BOOL} is not. */
    public boolean isInteger() {
        return kind == Kind.INTEGER;
    }

    /**
     * Returns the type with libtorch's number.
     *
     * @throws IllegalArgumentException if Darkroom has no name for it
     */
    public static DType ofCode(int code) {
        DType dtype = code >= 0 && code < BY_CODE.length ? BY_CODE[code] : null;
        if (dtype == null) {
            throw new IllegalArgumentException(
                    "libtorch's scalar type " + code + " is not supported");
        }
        return dtype;
    }

    /** Returns PyTorch's name, such as {@code float32}. */
    @Override
    public String toString() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
