package dev.darkroom.runtime.safetensors;

import static dev.darkroom.runtime.safetensors.RawFile.entry;

import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Files that each break one rule, and the rule. */
final class MalformedFiles {
    /**
     * @param tensor that the error has to name; null where it is the file as a whole
     */
    record Case(String name, byte[] bytes, Kind kind, @Nullable String tensor) {
        @Override
        public String toString() {
            return name + " → " + kind;
        }
    }

    /** A valid tensor of 4 bytes. */
    private static final String W = entry("w", "F32", "[1]", 0, 4);

    private final List<Case> cases = new ArrayList<>();

    private MalformedFiles() {}

    static List<Case> all() {
        var files = new MalformedFiles();
        files.lengths();
        files.text();
        files.json();
        files.types();
        files.names();
        files.metadata();
        files.dtypes();
        files.numbers();
        files.sizes();
        files.layout();
        files.foreign();
        return List.copyOf(files.cases);
    }

    private void add(String name, Kind kind, @Nullable String tensor, byte[] bytes) {
        cases.add(new Case(name, bytes, kind, tensor));
    }

    private void file(String name, Kind kind, String json, int data) {
        add(name, kind, null, RawFile.of(json, data));
    }

    /** One tensor "w" with these fields, and 4 bytes of data. */
    private void tensor(String name, Kind kind, String fields) {
        add(name, kind, "w", RawFile.of("{\"w\":" + fields + "}", 4));
    }

    private void shape(String name, Kind kind, String shape) {
        tensor(name, kind, "{\"dtype\":\"F32\",\"shape\":" + shape + ",\"data_offsets\":[0,4]}");
    }

    private void offsets(String name, Kind kind, String offsets) {
        tensor(name, kind, "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" + offsets + "}");
    }

    private void lengths() {
        for (int size = 0; size < 8; size++) {
            add("file of " + size + " bytes", Kind.FILE_TOO_SHORT, null, new byte[size]);
        }
        byte[] json = ("{" + W + "}").getBytes(StandardCharsets.UTF_8);
        for (long length : new long[] {json.length + 5, 1000, 100_000_000}) {
            add(
                    "length " + length + " in a short file",
                    Kind.HEADER_BEYOND_FILE,
                    null,
                    RawFile.withLength(length, json, 4));
        }
        for (long length :
                new long[] {100_000_001, 1L << 31, 1L << 32, Long.MAX_VALUE - 7, Long.MAX_VALUE}) {
            add(
                    "length " + length,
                    Kind.HEADER_TOO_LARGE,
                    null,
                    RawFile.withLength(length, json, 4));
        }
        for (long length : new long[] {Long.MIN_VALUE, -8, -1}) {
            add(
                    "length " + Long.toUnsignedString(length),
                    Kind.HEADER_LENGTH_OVERFLOW,
                    null,
                    RawFile.withLength(length, json, 4));
        }
        add("length 1 over", Kind.HEADER_BEYOND_FILE, null, RawFile.withLength(3, bytes("{}"), 0));
        add("length 1 short", Kind.MALFORMED_JSON, null, RawFile.withLength(1, bytes("{}"), 0));
        add("length 0", Kind.WRONG_TYPE, null, RawFile.withLength(0, new byte[0], 0));
        add("length 0 with data", Kind.WRONG_TYPE, null, RawFile.withLength(0, json, 4));
        add(
                "big-endian length",
                Kind.HEADER_TOO_LARGE,
                null,
                RawFile.withLength(Long.reverseBytes(json.length), json, 4));
    }

    private void text() {
        byte[][] broken = {
            {(byte) 0xff},
            {(byte) 0xc0, (byte) 0x80}, // overlong NUL
            {(byte) 0xe0, (byte) 0x80, (byte) 0xaf}, // overlong slash
            {(byte) 0xed, (byte) 0xa0, (byte) 0x80}, // surrogate
            {(byte) 0xf4, (byte) 0x90, (byte) 0x80, (byte) 0x80}, // above U+10FFFF
            {(byte) 0xe2, (byte) 0x82}, // cut short
            {(byte) 0x80}, // continuation without a start
        };
        for (byte[] name : broken) {
            var json = new ByteArrayOutputStream();
            json.writeBytes(bytes("{\""));
            json.writeBytes(name);
            json.writeBytes(bytes("\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"));
            add(
                    "UTF-8 " + java.util.HexFormat.of().formatHex(name),
                    Kind.INVALID_UTF8,
                    null,
                    RawFile.of(json.toByteArray(), 4));
        }
        add(
                "UTF-16",
                Kind.MALFORMED_JSON,
                null,
                RawFile.of("{}".getBytes(StandardCharsets.UTF_16BE), 0));
        file("byte order mark", Kind.BYTE_ORDER_MARK, "\ufeff{" + W + "}", 4);
        file("byte order mark after a space", Kind.MALFORMED_JSON, " \ufeff{" + W + "}", 4);
        file("one NUL behind", Kind.TRAILING_NUL, "{" + W + "}\0", 4);
        file("NULs as padding", Kind.TRAILING_NUL, "{" + W + "}\0\0\0\0\0\0\0", 4);
        file("NUL before a space", Kind.TRAILING_CONTENT, "{" + W + "}\0 ", 4);
        file("NUL before the object", Kind.MALFORMED_JSON, "\0{" + W + "}", 4);
        String after = ":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
        file("lone high surrogate", Kind.LONE_SURROGATE, "{\"\\ud800\"" + after, 4);
        file("lone low surrogate", Kind.LONE_SURROGATE, "{\"a\\udc00b\"" + after, 4);
        file("surrogates reversed", Kind.LONE_SURROGATE, "{\"\\udc00\\ud800\"" + after, 4);
        file(
                "lone surrogate in metadata",
                Kind.LONE_SURROGATE,
                "{\"__metadata__\":{\"a\":\"\\ud83d\"}," + W + "}",
                4);
        file(
                "lone surrogate in dtype",
                Kind.LONE_SURROGATE,
                "{\"w\":{\"dtype\":\"F32\\ud83d\",\"shape\":[1],\"data_offsets\":[0,4]}}",
                4);
        file("high surrogate and a letter", Kind.LONE_SURROGATE, "{\"\\ud800\\u0061\"" + after, 4);
        file("two high surrogates", Kind.LONE_SURROGATE, "{\"\\ud800\\ud800\\udc00\"" + after, 4);
    }

    private void json() {
        String[] broken = {
            "{",
            "{" + W,
            "{" + W + ",}",
            "{," + W + "}",
            "{" + W.substring(1) + "}",
            "{" + W + " " + W + "}",
            "{'w':{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
            "{w:{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}",
            "{/* no comments */" + W + "}",
            "{\"w\t\":{}}",
            "{\"\\x\":{}}",
            "{\"\\u12g4\":{}}",
            "{\"w\" {}}",
            "safetensors",
            "{\"w\":nul}",
        };
        for (String json : broken) {
            add("JSON " + json, Kind.MALFORMED_JSON, null, RawFile.of(json, 4));
        }
        shape("leading zero", Kind.MALFORMED_JSON, "[01]");
        shape("plus sign", Kind.MALFORMED_JSON, "[+1]");
        shape("hexadecimal", Kind.MALFORMED_JSON, "[0x1]");
        shape("NaN", Kind.MALFORMED_JSON, "[NaN]");
        shape("trailing comma", Kind.MALFORMED_JSON, "[1,]");
        tensor("list never closed", Kind.MALFORMED_JSON, "{\"dtype\":\"F32\",\"shape\":[1");
        for (String more : new String[] {"{}", "x", ",", "}", "//", "\u00a0", "\ufeff"}) {
            file("'" + more + "' behind", Kind.TRAILING_CONTENT, "{" + W + "}" + more, 4);
        }
        file("spaces only", Kind.WRONG_TYPE, "        ", 0);
    }

    private void types() {
        for (String root : new String[] {"[]", "null", "1", "\"w\"", "true"}) {
            file("header is " + root, Kind.WRONG_TYPE, root, 0);
        }
        for (String entry : new String[] {"null", "[\"F32\",[1],[0,4]]", "1", "\"F32\"", "false"}) {
            tensor("entry is " + entry, Kind.WRONG_TYPE, entry);
        }
        for (String dtype : new String[] {"1", "null", "[\"F32\"]", "{}"}) {
            tensor(
                    "dtype is " + dtype,
                    Kind.WRONG_TYPE,
                    "{\"dtype\":" + dtype + ",\"shape\":[1],\"data_offsets\":[0,4]}");
        }
        for (String list : new String[] {"1", "null", "\"1\"", "{\"0\":1}"}) {
            shape("shape is " + list, Kind.WRONG_TYPE, list);
            offsets("data_offsets is " + list, Kind.WRONG_TYPE, list);
        }
        for (String element : new String[] {"\"1\"", "null", "true"}) {
            shape("size " + element, Kind.WRONG_TYPE, "[" + element + "]");
            offsets("offset " + element, Kind.WRONG_TYPE, "[0," + element + "]");
        }
        shape("list in a list", Kind.TOO_DEEP, "[[1]]");
        shape("object in a list", Kind.TOO_DEEP, "[{\"1\":1}]");
        int deep = 100_000;
        shape("lists 100,000 deep", Kind.TOO_DEEP, "[".repeat(deep) + "]".repeat(deep));
        tensor("objects 100,000 deep", Kind.WRONG_TYPE, "[".repeat(deep));
        file("header 100,000 deep", Kind.WRONG_TYPE, "[".repeat(deep), 0);
        tensor("no dtype", Kind.MISSING_FIELD, "{\"shape\":[1],\"data_offsets\":[0,4]}");
        tensor("no shape", Kind.MISSING_FIELD, "{\"dtype\":\"F32\",\"data_offsets\":[0,4]}");
        tensor("no offsets", Kind.MISSING_FIELD, "{\"dtype\":\"F32\",\"shape\":[1]}");
        tensor("no field", Kind.MISSING_FIELD, "{}");
        String fields = "\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]";
        tensor("strides", Kind.UNKNOWN_FIELD, "{" + fields + ",\"strides\":[1]}");
        tensor("field in capitals", Kind.UNKNOWN_FIELD, "{" + fields + ",\"Dtype\":\"F32\"}");
        tensor("dtype twice", Kind.DUPLICATE_FIELD, "{" + fields + ",\"dtype\":\"F32\"}");
        tensor("shape twice", Kind.DUPLICATE_FIELD, "{\"shape\":[2]," + fields + "}");
        tensor("offsets twice", Kind.DUPLICATE_FIELD, "{" + fields + ",\"data_offsets\":[0,4]}");
        tensor(
                "field twice, escaped",
                Kind.DUPLICATE_FIELD,
                "{" + fields + ",\"\\u0073hape\":[1]}");
    }

    private void names() {
        add("name twice", Kind.DUPLICATE_NAME, "w", RawFile.of("{" + W + "," + W + "}", 4));
        add(
                "name twice, other bytes",
                Kind.DUPLICATE_NAME,
                "w",
                RawFile.of("{" + W + "," + entry("w", "F32", "[1]", 4, 8) + "}", 8));
        add(
                "name twice, escaped",
                Kind.DUPLICATE_NAME,
                "w",
                RawFile.of("{" + W + "," + entry("\\u0077", "F32", "[1]", 4, 8) + "}", 8));
        add(
                "name twice with others between",
                Kind.DUPLICATE_NAME,
                "a",
                RawFile.of(
                        "{"
                                + entry("a", "U8", "[1]", 0, 1)
                                + ","
                                + entry("b", "U8", "[1]", 1, 2)
                                + ","
                                + entry("a", "U8", "[1]", 2, 3)
                                + "}",
                        3));
        file("metadata twice", Kind.DUPLICATE_NAME, "{\"__metadata__\":{},\"__metadata__\":{}}", 0);
    }

    private void metadata() {
        for (String value : new String[] {"1", "null", "true", "[\"a\"]", "{\"b\":\"c\"}", "1.5"}) {
            file(
                    "metadata value " + value,
                    Kind.NON_STRING_METADATA,
                    "{\"__metadata__\":{\"a\":" + value + "}," + W + "}",
                    4);
        }
        for (String value : new String[] {"null", "[]", "\"pt\"", "1"}) {
            file(
                    "metadata is " + value,
                    Kind.WRONG_TYPE,
                    "{\"__metadata__\":" + value + "," + W + "}",
                    4);
        }
        file(
                "metadata key twice",
                Kind.DUPLICATE_METADATA,
                "{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}," + W + "}",
                4);
        file(
                "metadata as a tensor",
                Kind.NON_STRING_METADATA,
                "{" + entry("__metadata__", "F32", "[1]", 0, 4) + "}",
                4);
    }

    private void dtypes() {
        for (String dtype :
                new String[] {
                    "",
                    "f32",
                    "F33",
                    "FLOAT",
                    "float32",
                    "F32 ",
                    "F8",
                    "I128",
                    "BFLOAT16",
                    "C128",
                    "U4"
                }) {
            tensor(
                    "dtype '" + dtype + "'",
                    Kind.UNKNOWN_DTYPE,
                    "{\"dtype\":\"" + dtype + "\",\"shape\":[1],\"data_offsets\":[0,4]}");
        }
        record Partial(String dtype, String shape, int bytes) {}
        for (var partial :
                List.of(
                        new Partial("F4", "[3]", 1),
                        new Partial("F4", "[]", 1),
                        new Partial("F6_E2M3", "[3]", 3),
                        new Partial("F6_E3M2", "[1]", 1),
                        new Partial("F6_E3M2", "[2,3]", 5))) {
            add(
                    partial.dtype + " of shape " + partial.shape,
                    Kind.PARTIAL_BYTE,
                    "w",
                    RawFile.of(
                            "{" + entry("w", partial.dtype, partial.shape, 0, partial.bytes) + "}",
                            partial.bytes));
        }
    }

    private void numbers() {
        for (String number : new String[] {"1.0", "1.5", "1e0", "1E2", "0.0", "1e400", "-0.0"}) {
            shape("size " + number, Kind.NOT_AN_INTEGER, "[" + number + "]");
            offsets("offset " + number, Kind.NOT_AN_INTEGER, "[0," + number + "]");
        }
        for (String number : new String[] {"-1", "-0", "-9223372036854775809"}) {
            shape("size " + number, Kind.NEGATIVE_NUMBER, "[" + number + "]");
            offsets("offset " + number, Kind.NEGATIVE_NUMBER, "[" + number + ",4]");
        }
        for (String number :
                new String[] {
                    "9223372036854775808",
                    "18446744073709551615",
                    "18446744073709551616",
                    "18446744073709551620",
                    "9".repeat(5000)
                }) {
            var name = number.length() > 30 ? number.length() + " digits" : number;
            shape("size " + name, Kind.NUMBER_OVERFLOW, "[" + number + "]");
            offsets("offset " + name, Kind.NUMBER_OVERFLOW, "[0," + number + "]");
        }
        offsets("no offsets in the list", Kind.OFFSET_COUNT, "[]");
        offsets("one offset", Kind.OFFSET_COUNT, "[0]");
        offsets("three offsets", Kind.OFFSET_COUNT, "[0,4,8]");
        shape("65 dimensions", Kind.RANK_TOO_HIGH, ones(65));
        shape("100,000 dimensions", Kind.RANK_TOO_HIGH, ones(100_000));
    }

    private void sizes() {
        offsets("begin after end", Kind.BEGIN_AFTER_END, "[4,0]");
        offsets("begin far after end", Kind.BEGIN_AFTER_END, "[9223372036854775807,3]");
        shape("size 2^62", Kind.SIZE_OVERFLOW, "[4611686018427387904]");
        shape("product over 2^64", Kind.SIZE_OVERFLOW, "[4294967296,4294967297]");
        shape("product 2^64 + 1 wraps to 1", Kind.SIZE_OVERFLOW, "[274177,67280421310721]");
        shape("overflow hidden by a zero", Kind.SIZE_OVERFLOW, "[4294967296,4294967296,0]");
        shape("bits overflow, elements do not", Kind.SIZE_OVERFLOW, "[576460752303423488]");
        shape("too few bytes", Kind.SIZE_MISMATCH, "[2]");
        shape("too many bytes", Kind.SIZE_MISMATCH, "[0]");
        shape("a terabyte", Kind.SIZE_MISMATCH, "[1024,1024,1024,256]");
        offsets("no bytes", Kind.SIZE_MISMATCH, "[0,0]");
        offsets("a byte less", Kind.SIZE_MISMATCH, "[0,3]");
        offsets("span of 2^63 - 1", Kind.SIZE_MISMATCH, "[0,9223372036854775807]");
        tensor(
                "half the dtype",
                Kind.SIZE_MISMATCH,
                "{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,4]}");
    }

    private void layout() {
        add("hole at the start", Kind.HOLE, "w", one(1, 5, 5));
        add("begins past the end", Kind.HOLE, "w", one(4, 8, 4));
        add("begins near 2^63", Kind.HOLE, "w", one(Long.MAX_VALUE - 4, Long.MAX_VALUE, 4));
        add("hole between", Kind.HOLE, "v", two(0, 4, 5, 9, 9));
        add("hole, in the header's reverse order", Kind.HOLE, "w", two(5, 9, 0, 4, 9));
        add("overlap by a byte", Kind.OVERLAP, "v", two(0, 4, 3, 7, 7));
        add("same bytes twice", Kind.OVERLAP, "v", two(0, 4, 0, 4, 4));
        add(
                "tensor inside another",
                Kind.OVERLAP,
                "v",
                RawFile.of(
                        "{"
                                + entry("w", "U8", "[8]", 0, 8)
                                + ","
                                + entry("v", "U8", "[2]", 3, 5)
                                + "}",
                        8));
        add(
                "empty tensor inside another",
                Kind.OVERLAP,
                "v",
                RawFile.of(
                        "{"
                                + entry("w", "U8", "[8]", 0, 8)
                                + ","
                                + entry("v", "U8", "[0]", 3, 3)
                                + "}",
                        8));
        add(
                "empty tensor behind the end",
                Kind.HOLE,
                "v",
                RawFile.of("{" + W + "," + entry("v", "U8", "[0]", 9, 9) + "}", 4));
        add("no data", Kind.BYTES_MISSING, "w", one(0, 4, 0));
        add("a byte missing", Kind.BYTES_MISSING, "w", one(0, 4, 3));
        add("second tensor missing", Kind.BYTES_MISSING, "v", two(0, 4, 4, 8, 4));
        add("a byte left over", Kind.BYTES_LEFT_OVER, null, one(0, 4, 5));
        add("a page left over", Kind.BYTES_LEFT_OVER, null, one(0, 4, 4100));
        file("data without tensors", Kind.BYTES_LEFT_OVER, "{}", 8);
        file("metadata and data without tensors", Kind.BYTES_LEFT_OVER, "{\"__metadata__\":{}}", 1);
    }

    private void foreign() {
        add(
                "zip archive",
                Kind.PICKLE,
                null,
                bytes("PK\u0003\u0004" + "\0".repeat(4) + "archive/data.pkl"));
        for (int protocol = 2; protocol <= 5; protocol++) {
            add(
                    "pickle of protocol " + protocol,
                    Kind.PICKLE,
                    null,
                    ("\u0080" + (char) protocol + "}q\0(X\1\0\0\0wq\1")
                            .getBytes(StandardCharsets.ISO_8859_1));
        }
        add(
                "Git LFS pointer",
                Kind.LFS_POINTER,
                null,
                bytes("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"));
        add("web page", Kind.HEADER_TOO_LARGE, null, bytes("<!DOCTYPE html><html></html>"));
    }

    private static byte[] one(long begin, long end, int data) {
        return RawFile.of("{" + entry("w", "F32", "[1]", begin, end) + "}", data);
    }

    private static byte[] two(long begin, long end, long begin2, long end2, int data) {
        return RawFile.of(
                "{"
                        + entry("w", "F32", "[1]", begin, end)
                        + ","
                        + entry("v", "F32", "[1]", begin2, end2)
                        + "}",
                data);
    }

    private static String ones(int rank) {
        return IntStream.range(0, rank)
                .mapToObj(i -> "1")
                .collect(Collectors.joining(",", "[", "]"));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
