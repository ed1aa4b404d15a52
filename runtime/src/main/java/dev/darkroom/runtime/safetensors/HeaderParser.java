package dev.darkroom.runtime.safetensors;

import com.fasterxml.jackson.core.JsonToken;

import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The JSON of a header: every rule that holds for a tensor by itself. */
final class HeaderParser {
    static final String METADATA = "__metadata__";

    /** The header, a tensor in it, a list in that. */
    private static final int DEPTH = 3;

    /** A tensor's entry; its bytes are counted from the end of the header. */
    record Entry(SafetensorsDType dtype, Shape shape, long begin, long end) {}

    record Parsed(Map<String, Entry> tensors, Map<String, String> metadata) {}

    private final StrictJson json;

    private HeaderParser(StrictJson json) {
        this.json = json;
    }

    static Parsed parse(Path file, byte[] text) throws IOException {
        try (var json = new StrictJson(file, text, DEPTH)) {
            return new HeaderParser(json).header();
        }
    }

    private Parsed header() throws SafetensorsException {
        json.expect(JsonToken.START_OBJECT, json.next(), "the header");
        var tensors = new LinkedHashMap<String, Entry>();
        Map<String, String> metadata = null;
        for (String name; (name = json.nextKey()) != null; json.at(null)) {
            if (name.equals(METADATA)) {
                if (metadata != null) {
                    throw json.error(Kind.DUPLICATE_NAME, METADATA + " is given twice");
                }
                metadata = metadata();
            } else {
                json.at(name);
                if (tensors.containsKey(name)) {
                    throw json.error(Kind.DUPLICATE_NAME, "two tensors have this name");
                }
                tensors.put(name, entry());
            }
        }
        json.end();
        return new Parsed(tensors, metadata == null ? Map.of() : metadata);
    }

    private Map<String, String> metadata() throws SafetensorsException {
        json.expect(JsonToken.START_OBJECT, json.next(), METADATA);
        var metadata = new LinkedHashMap<String, String>();
        for (String key; (key = json.nextKey()) != null; ) {
            if (metadata.containsKey(key)) {
                throw json.error(
                        Kind.DUPLICATE_METADATA,
                        METADATA + " has the key " + Names.quote(key) + " twice");
            }
            var token = json.next();
            if (token != JsonToken.VALUE_STRING) {
                throw json.error(
                        Kind.NON_STRING_METADATA,
                        String.format(
                                Locale.ROOT,
                                "%s has %s under the key %s, but only strings are allowed",
                                METADATA,
                                StrictJson.describe(token),
                                Names.quote(key)));
            }
            metadata.put(key, json.text());
        }
        return metadata;
    }

    private Entry entry() throws SafetensorsException {
        json.expect(JsonToken.START_OBJECT, json.next(), "its entry");
        SafetensorsDType dtype = null;
        List<Long> shape = null;
        List<Long> offsets = null;
        for (String field; (field = json.nextKey()) != null; ) {
            switch (field) {
                case "dtype" -> {
                    once(field, dtype);
                    dtype = dtype();
                }
                case "shape" -> {
                    once(field, shape);
                    shape = numbers(field, SafetensorsHeader.MAX_RANK, Kind.RANK_TOO_HIGH);
                }
                case "data_offsets" -> {
                    once(field, offsets);
                    offsets = numbers(field, 2, Kind.OFFSET_COUNT);
                }
                default ->
                        throw json.error(
                                Kind.UNKNOWN_FIELD,
                                "the field " + Names.quote(field) + " is not part of the format");
            }
        }
        if (dtype == null || shape == null || offsets == null) {
            var field = dtype == null ? "dtype" : shape == null ? "shape" : "data_offsets";
            throw json.error(Kind.MISSING_FIELD, "its " + field + " is missing");
        }
        if (offsets.size() < 2) {
            throw json.error(
                    Kind.OFFSET_COUNT,
                    String.format(
                            Locale.ROOT, "data_offsets has %d numbers, not 2", offsets.size()));
        }
        var sizes = Shape.of(shape.stream().mapToLong(Long::longValue).toArray());
        return checked(new Entry(dtype, sizes, offsets.get(0), offsets.get(1)));
    }

    private void once(String field, @Nullable Object earlier) throws SafetensorsException {
        if (earlier != null) {
            throw json.error(Kind.DUPLICATE_FIELD, "its " + field + " is given twice");
        }
    }

    private SafetensorsDType dtype() throws SafetensorsException {
        json.expect(JsonToken.VALUE_STRING, json.next(), "dtype");
        var name = json.text();
        return SafetensorsDType.named(name)
                .orElseThrow(
                        () ->
                                json.error(
                                        Kind.UNKNOWN_DTYPE,
                                        "the format has no dtype " + Names.quote(name)));
    }

    private List<Long> numbers(String field, int most, Kind tooMany) throws SafetensorsException {
        json.expect(JsonToken.START_ARRAY, json.next(), field);
        var numbers = new ArrayList<Long>();
        for (JsonToken token; (token = json.next()) != JsonToken.END_ARRAY; ) {
            if (numbers.size() == most) {
                throw json.error(
                        tooMany,
                        String.format(Locale.ROOT, "%s has more than %d numbers", field, most));
            }
            numbers.add(json.number(token, field));
        }
        return numbers;
    }

    private Entry checked(Entry entry) throws SafetensorsException {
        long bytes = entry.end() - entry.begin();
        if (bytes < 0) {
            throw json.error(
                    Kind.BEGIN_AFTER_END,
                    String.format(
                            Locale.ROOT,
                            "its bytes begin at %d and end at %d",
                            entry.begin(),
                            entry.end()));
        }
        long bits;
        try {
            bits = bits(entry);
        } catch (ArithmeticException e) {
            throw json.error(
                    Kind.SIZE_OVERFLOW,
                    String.format(
                            Locale.ROOT,
                            "the shape %s has more elements than can be counted",
                            entry.shape()));
        }
        if (bits % 8 != 0) {
            throw json.error(
                    Kind.PARTIAL_BYTE,
                    String.format(
                            Locale.ROOT,
                            "%s of shape %s takes %d bits, which are not whole bytes",
                            entry.dtype(),
                            entry.shape(),
                            bits));
        }
        if (bits / 8 != bytes) {
            throw json.error(
                    Kind.SIZE_MISMATCH,
                    String.format(
                            Locale.ROOT,
                            "%s of shape %s takes %d bytes, but data_offsets span %d",
                            entry.dtype(),
                            entry.shape(),
                            bits / 8,
                            bytes));
        }
        return entry;
    }

    /**
     * Computes a tensor's bits. The strides of an empty tensor must not overflow either, so zeros
     * count as ones at first.
     */
    private static long bits(Entry entry) {
        long bits = entry.dtype().bits();
        boolean empty = false;
        for (long size : entry.shape().toArray()) {
            bits = Math.multiplyExact(bits, Math.max(size, 1));
            empty |= size == 0;
        }
        return empty ? 0 : bits;
    }
}
