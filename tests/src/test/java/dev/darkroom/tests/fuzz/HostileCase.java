package dev.darkroom.tests.fuzz;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A checkpoint made hostile.
 *
 * @param name what is done to it
 * @param base the checkpoint that it is made of
 * @param variant of its weights to ask for
 * @param follows whether its own links lead outside, where they may be followed
 * @param change does it, and returns where the folder is now
 */
record HostileCase(
        String name, String base, @Nullable String variant, boolean follows, Change change) {
    private static final String MARK = "@here@";

    /** As the readers of configs take it. */
    private static final JsonMapper JSON =
            JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

    /** Changes a copy of a checkpoint. */
    interface Change {
        Path apply(Path folder) throws IOException;
    }

    /** Changes a file or folder. */
    interface FileChange {
        void apply(Path file) throws IOException;
    }

    HostileCase(String name, String base, Change change) {
        this(name, base, null, false, change);
    }

    /** With another file or folder in its place. */
    static HostileCase of(String name, String base, String path, FileChange change) {
        return new HostileCase(
                base + "/" + path + ": " + name,
                base,
                folder -> {
                    change.apply(folder.resolve(path));
                    return folder;
                });
    }

    /** With a file of other bytes. */
    static HostileCase ofBytes(String name, String base, String path, UnaryOperator<byte[]> to) {
        return of(name, base, path, file -> replace(file, to.apply(Files.readAllBytes(file))));
    }

    /** This, with links that may be followed. */
    HostileCase following() {
        return new HostileCase(name, base, variant, true, change);
    }

    /** This, loaded with a variant. */
    HostileCase withVariant(String variant) {
        return new HostileCase(name, base, variant, follows, change);
    }

    /** A new file: what is there is a hard link that other copies share. */
    static void replace(Path file, byte[] bytes) throws IOException {
        Files.delete(file);
        Files.write(file, bytes);
    }

    // ---- JSON ----

    /** The paths of the values in a JSON text, as its nodes' keys and indexes. */
    static List<List<String>> values(byte[] json) throws IOException {
        var found = new ArrayList<List<String>>();
        collect(JSON.readTree(json), List.of(), found);
        return found;
    }

    private static void collect(JsonNode node, List<String> path, List<List<String>> found) {
        if (!path.isEmpty()) {
            found.add(path);
        }
        if (node instanceof ObjectNode object) {
            object.properties().forEach(e -> collect(e.getValue(), plus(path, e.getKey()), found));
        } else if (node instanceof ArrayNode array) {
            for (int i = 0; i < array.size(); i++) {
                collect(array.get(i), plus(path, Integer.toString(i)), found);
            }
        }
    }

    private static List<String> plus(List<String> path, String key) {
        var longer = new ArrayList<>(path);
        longer.add(key);
        return longer;
    }

    /** The value at a path. */
    static JsonNode value(byte[] json, List<String> path) throws IOException {
        JsonNode node = JSON.readTree(json);
        for (String key : path) {
            node = node instanceof ArrayNode ? node.get(Integer.parseInt(key)) : node.get(key);
        }
        return node;
    }

    /** A JSON text with another value at a path, which need be no JSON. */
    static byte[] with(byte[] json, List<String> path, String value) {
        try {
            JsonNode root = JSON.readTree(json);
            JsonNode parent = root;
            for (String key : path.subList(0, path.size() - 1)) {
                parent =
                        parent instanceof ArrayNode
                                ? parent.get(Integer.parseInt(key))
                                : parent.get(key);
            }
            String last = path.getLast();
            if (parent instanceof ObjectNode object) {
                object.put(last, MARK);
            } else if (parent instanceof ArrayNode array) {
                array.set(Integer.parseInt(last), MARK);
            }
            String text = JSON.writeValueAsString(root).replace('"' + MARK + '"', value);
            return text.getBytes(StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** A JSON object with one more member at its start, or any other text. */
    static byte[] withFirst(byte[] json, String member) {
        String text = new String(json, StandardCharsets.UTF_8);
        int brace = text.indexOf('{') + 1;
        return (text.substring(0, brace) + member + "," + text.substring(brace))
                .getBytes(StandardCharsets.UTF_8);
    }

    // ---- Safetensors ----

    /** The header of a safetensors file. */
    static byte[] header(byte[] file) {
        int length = (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
        return Arrays.copyOfRange(file, Long.BYTES, Long.BYTES + length);
    }

    /** A safetensors file with another header of its own length. */
    static byte[] withHeader(byte[] file, UnaryOperator<byte[]> change) {
        byte[] old = header(file);
        byte[] header = change.apply(old);
        int data = file.length - Long.BYTES - old.length;
        return ByteBuffer.allocate(Long.BYTES + header.length + data)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(header.length)
                .put(header)
                .put(file, Long.BYTES + old.length, data)
                .array();
    }

    /** A safetensors file with another number for its header's length. */
    static byte[] withLength(byte[] file, long length) {
        byte[] changed = file.clone();
        ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN).putLong(length);
        return changed;
    }
}
