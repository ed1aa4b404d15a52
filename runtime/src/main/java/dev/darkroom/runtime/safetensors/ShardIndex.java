package dev.darkroom.runtime.safetensors;

import com.fasterxml.jackson.core.JsonToken;

import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The index of a sharded checkpoint, {@code NAME.safetensors.index.json}: which file holds which
 * tensor.
 *
 * @param file the index
 * @param weightMap from a tensor's name to its shard's bare file name
 * @param totalSize bytes of all tensors as the index has them; what hubs write there is often wrong
 */
record ShardIndex(Path file, Map<String, String> weightMap, OptionalLong totalSize) {
    /** Several times the largest index on public hubs. */
    private static final long MAX_BYTES = 32_000_000;

    /** Metadata may hold anything, but not without end. */
    private static final int DEPTH = 16;

    private static final Pattern DRIVE = Pattern.compile("[A-Za-z]:.*", Pattern.DOTALL);

    ShardIndex {
        weightMap = Collections.unmodifiableMap(weightMap);
    }

    static ShardIndex read(Path file) throws IOException {
        ForeignFormats.checkPath(file);
        long size = Files.size(file);
        if (size > MAX_BYTES) {
            throw new SafetensorsException(
                    Kind.HEADER_TOO_LARGE,
                    file,
                    null,
                    String.format(
                            Locale.ROOT, "the index has %d bytes, more than %d", size, MAX_BYTES));
        }
        SafetensorsHeader.requireHeap(file, 2 * size); // entries are smaller than a header's
        try (var in = Files.newInputStream(file);
                var json = new StrictJson(file, in.readNBytes((int) size), DEPTH)) {
            return read(file, json);
        }
    }

    private static ShardIndex read(Path file, StrictJson json) throws SafetensorsException {
        json.expect(JsonToken.START_OBJECT, json.next(), "the index");
        Map<String, String> weightMap = null;
        var totalSize = OptionalLong.empty();
        for (String key; (key = json.nextKey()) != null; ) {
            var token = json.next();
            if (key.equals("weight_map")) {
                if (weightMap != null) {
                    throw json.error(Kind.DUPLICATE_FIELD, "weight_map is given twice");
                }
                weightMap = weightMap(json, token);
            } else if (key.equals("metadata") && token == JsonToken.START_OBJECT) {
                totalSize = totalSize(json);
            } else {
                json.skip(token);
            }
        }
        json.end();
        if (weightMap == null) {
            throw json.error(Kind.INDEX_MALFORMED, "the index has no weight_map");
        }
        return new ShardIndex(file, weightMap, totalSize);
    }

    private static Map<String, String> weightMap(StrictJson json, @Nullable JsonToken token)
            throws SafetensorsException {
        if (token != JsonToken.START_OBJECT) {
            throw json.error(Kind.INDEX_MALFORMED, "weight_map is " + StrictJson.describe(token));
        }
        var weightMap = new LinkedHashMap<String, String>();
        for (String tensor; (tensor = json.nextKey()) != null; ) {
            json.at(tensor);
            var value = json.next();
            if (value != JsonToken.VALUE_STRING) {
                throw json.error(
                        Kind.INDEX_MALFORMED,
                        "its shard is " + StrictJson.describe(value) + ", not a file name");
            }
            var shard = json.text();
            if (!isBareName(shard)) {
                throw json.error(
                        Kind.INDEX_FILE_NAME,
                        "the shard " + Names.quote(shard) + " is not a bare file name");
            }
            if (!isPath(shard)) {
                throw json.error(
                        Kind.MISSING_SHARD,
                        "this locale has no file names such as "
                                + Names.quote(shard)
                                + "; set LC_ALL to one of UTF-8, such as C.UTF-8");
            }
            if (ForeignFormats.isPickleName(shard)) {
                throw json.error(Kind.PICKLE, "the shard " + Names.quote(shard) + " is a pickle");
            }
            if (weightMap.put(tensor, shard) != null) {
                throw json.error(Kind.DUPLICATE_NAME, "the weight_map has this name twice");
            }
        }
        json.at(null);
        return weightMap;
    }

    /**
     * Reads the total size. Some exporters write a float, so what is no whole number counts as
     * absent.
     */
    private static OptionalLong totalSize(StrictJson json) throws SafetensorsException {
        var size = OptionalLong.empty();
        for (String key; (key = json.nextKey()) != null; ) {
            var token = json.next();
            if (key.equals("total_size") && token == JsonToken.VALUE_NUMBER_INT) {
                size = OptionalLong.of(json.number(token, "total_size"));
            } else {
                json.skip(token);
            }
        }
        return size;
    }

    /**
     * Returns whether a name stays in its folder, judged by its letters alone: in a hub's cache the
     * file itself is a link out of the folder, and that is how it should be.
     */
    static boolean isBareName(String name) {
        return !name.isEmpty()
                && !name.equals(".")
                && !name.contains("..")
                && name.chars().noneMatch(c -> c == '/' || c == '\\' || c < 0x20)
                && !DRIVE.matcher(name).matches();
    }

    /**
     * Returns whether Java can ask the system for a file of that name: not every locale has all
     * letters.
     */
    static boolean isPath(String name) {
        try {
            return Path.of(name).getFileName() != null;
        } catch (InvalidPathException e) {
            return false;
        }
    }

    /** Returns the shards' file names, in the order of the index. */
    Set<String> shards() {
        return Collections.unmodifiableSet(new LinkedHashSet<>(weightMap.values()));
    }
}
