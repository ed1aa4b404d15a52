package dev.darkroom.models.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.common.OneLine;
import dev.darkroom.common.UntrustedFile;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.safetensors.UnfinishedDownload;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * Reads one JSON config into a record. A missing option has the default that is passed with it,
 * which is the one of the reference class's constructor; so has one that is null, but that null is
 * false for a {@link #flag}, as in Python. An option that nobody asked for is never silently
 * ignored: in a config that people write for Darkroom it is an error; in a checkpoint's there is a
 * warning, or an error if the {@linkplain Warnings#isStrict warnings are strict}. One that is null
 * there asks for nothing.
 *
 * <pre>{@code
 * VaeConfig config = ConfigReader.read(file, json -> {
 *     json.ignore("sample_size");
 *     json.only("mid_block_type", "UNetMidBlock2D");
 *     return new VaeConfig(json.integer("latent_channels", 4), json.text("act_fn", "silu"));
 * });
 * }</pre>
 *
 * <p>Numbers may be {@code NaN} and {@code ±Infinity}, which real configs contain. Options that
 * begin with an underscore ({@code _class_name}, {@code _diffusers_version} …) describe the file
 * and need not be asked for.
 */
public final class ConfigReader {
    /** More than any config has; what is larger is some other file. */
    private static final long MAX_BYTES = 16 << 20;

    /** How many unknown options a warning lists, and how many characters of each. */
    private static final int LISTED = 8;

    private static final int LONGEST = 100;

    static final JsonMapper JSON =
            JsonMapper.builder()
                    .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
                    .disable(JsonWriteFeature.WRITE_NAN_AS_STRINGS)
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .build();

    private final String name;
    private final ObjectNode options;
    private final Warnings warnings;
    private final Set<String> known = new HashSet<>();

    private ConfigReader(String name, ObjectNode options, Warnings warnings) {
        this.name = name;
        this.options = options;
        this.warnings = warnings;
    }

    /**
     * Reads a config that people write for Darkroom: an unknown option is an error.
     *
     * @param build asks for the options and makes the record; an {@link IllegalArgumentException}
     *     of it or of the record becomes a {@link ConfigException} that names the file
     * @throws ConfigException if the file is not a JSON object, or has an unknown option or a value
     *     that is not supported
     * @throws IOException if the file can't be read
     */
    public static <T> T read(Path file, Function<ConfigReader, T> build) throws IOException {
        return read(file, Warnings.strict(), build);
    }

    /**
     * Reads a checkpoint's config.
     *
     * @param warnings collect the unknown options; if they are strict, these are errors
     * @param build asks for the options and makes the record; an {@link IllegalArgumentException}
     *     of it or of the record becomes a {@link ConfigException} that names the file
     * @throws ConfigException if the file is not a JSON object, or has a value that is not
     *     supported
     * @throws IOException if the file can't be read
     */
    public static <T> T read(Path file, Warnings warnings, Function<ConfigReader, T> build)
            throws IOException {
        return read(file, object(file), warnings, build);
    }

    /**
     * Reads a checkpoint's config as {@link #read(Path, Warnings, Function)} does, from what was
     * read of the file, or takes the place of that.
     *
     * @param content what {@link #object(Path)} returned, or as it should have been
     * @throws ConfigException if it has a value that is not supported
     */
    public static <T> T read(
            Path file, ObjectNode content, Warnings warnings, Function<ConfigReader, T> build)
            throws ConfigException {
        var reader = new ConfigReader(file.toString(), content, warnings);
        try {
            return build(reader, build);
        } catch (IllegalArgumentException e) {
            throw new ConfigException(file, String.valueOf(e.getMessage()), e);
        }
    }

    /**
     * Reads a config from JSON text that people write for Darkroom: an unknown option is an error.
     *
     * @param json an object
     * @throws IllegalArgumentException if it is none, or says what is wrong in it
     */
    public static <T> T of(String json, Function<ConfigReader, T> build) {
        return of("", json, Warnings.strict(), build);
    }

    /**
     * Reads a checkpoint's config from JSON text.
     *
     * @param name what warnings call it
     * @param json an object
     * @param warnings collect the unknown options; if they are strict, these are errors
     * @throws IllegalArgumentException if it is none, or says what is wrong in it
     */
    public static <T> T of(
            String name, String json, Warnings warnings, Function<ConfigReader, T> build) {
        try {
            if (JSON.readTree(json) instanceof ObjectNode object) {
                return of(name, object, warnings, build);
            }
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(OneLine.ofJsonProblem(e.getOriginalMessage()), e);
        }
        throw new IllegalArgumentException(OneLine.of("a config is a JSON object, not " + json));
    }

    /**
     * Reads a config that people write for Darkroom: an unknown option is an error.
     *
     * @throws IllegalArgumentException which says what is wrong in it
     */
    public static <T> T of(ObjectNode json, Function<ConfigReader, T> build) {
        return of("", json, Warnings.strict(), build);
    }

    /**
     * Reads a checkpoint's config.
     *
     * @param name what warnings call it
     * @param warnings are told of unknown options; if they are strict, these are errors
     * @throws IllegalArgumentException which says what is wrong in it
     */
    public static <T> T of(
            String name, ObjectNode json, Warnings warnings, Function<ConfigReader, T> build) {
        return build(new ConfigReader(name, json, warnings), build);
    }

    private static <T> T build(ConfigReader reader, Function<ConfigReader, T> build) {
        T config = build.apply(reader);
        reader.requireAllKnown();
        return config;
    }

    /**
     * The JSON object in a file, as it is.
     *
     * @throws ConfigException if the file is not a JSON object
     * @throws IOException if the file is missing
     */
    public static ObjectNode object(Path file) throws IOException {
        Optional<String> unfinished = UnfinishedDownload.of(file);
        if (unfinished.isPresent()) {
            throw new ConfigException(file, unfinished.get(), null);
        }
        return object(
                file,
                () -> JSON.readTree(UntrustedFile.read(file, MAX_BYTES, UntrustedFile.JSON_TREE)));
    }

    /**
     * The JSON object that a text is.
     *
     * @param file what to call it in messages
     * @throws ConfigException if it is not a JSON object
     */
    public static ObjectNode object(Path file, String text) throws IOException {
        Objects.requireNonNull(file, "file");
        return object(file, () -> JSON.readTree(text));
    }

    private interface Reading {
        JsonNode read() throws IOException;
    }

    private static ObjectNode object(Path file, Reading reading) throws IOException {
        try {
            if (reading.read() instanceof ObjectNode object) {
                return object;
            }
        } catch (JsonProcessingException e) {
            var at = e.getLocation();
            throw new ConfigException(
                    file,
                    "not valid JSON"
                            + (at == null ? "" : " at line " + at.getLineNr())
                            + ": "
                            + OneLine.ofJsonProblem(e.getOriginalMessage()),
                    e);
        } catch (NoSuchFileException e) {
            throw e;
        } catch (IOException e) { // of Jackson too, for bytes that are no text
            throw new ConfigException(file, UntrustedFile.problem(e), e);
        }
        throw new ConfigException(file, "a config is a JSON object", null);
    }

    private void requireAllKnown() {
        List<String> unknown = new ArrayList<>();
        for (var option : options.properties()) {
            String key = option.getKey();
            boolean asks = warnings.isStrict() || !option.getValue().isNull();
            if (!key.startsWith("_") && !known.contains(key) && asks) {
                unknown.add(shortened(key) + " (" + shortened(option.getValue().toString()) + ")");
            }
        }
        if (unknown.isEmpty()) {
            return;
        }
        if (warnings.isStrict()) {
            throw new IllegalArgumentException(
                    "option not supported: " + String.join(", ", unknown));
        }
        int more = unknown.size() - LISTED;
        warnings.add(
                name
                        + ": "
                        + (unknown.size() == 1 ? "an option that is" : "options that are")
                        + " not known and without effect: "
                        + String.join(", ", more > 0 ? unknown.subList(0, LISTED) : unknown)
                        + (more > 0 ? " and " + more + " more" : ""));
    }

    private static String shortened(String text) {
        return text.length() <= LONGEST ? text : text.substring(0, LONGEST) + "…";
    }

    // ---- Options that are configs themselves ----

    /**
     * A config inside this one; an empty one if it is missing.
     *
     * @param build asks for its options, all of which must be known
     * @throws IllegalArgumentException if the option is no object, or what is wrong in it
     */
    public <T> T section(String key, Function<ConfigReader, T> build) {
        JsonNode value = present(key);
        return section(key, value == null ? JSON.createObjectNode() : value, build);
    }

    private <T> T section(String key, @Nullable JsonNode value, Function<ConfigReader, T> build) {
        if (!(value instanceof ObjectNode object)) {
            throw new IllegalArgumentException(key + " must be an object, not " + value);
        }
        try {
            return build(new ConfigReader(name + ": " + key, object, warnings), build);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(key + ": " + e.getMessage(), e);
        }
    }

    /**
     * A copy of a config inside this one, for a reader elsewhere; null if it is missing.
     *
     * @throws IllegalArgumentException if the option is no object
     */
    public @Nullable ObjectNode objectOrNull(String key) {
        JsonNode value = present(key);
        return value == null
                ? null
                : (ObjectNode) require(key, value, JsonNode::isObject, "an object").deepCopy();
    }

    /** Every value in the file, by its path, such as {@code optimizer.learningRate}. */
    public Map<String, String> flattened() {
        Map<String, String> all = new LinkedHashMap<>();
        flatten("", options, all);
        return all;
    }

    private static void flatten(String path, JsonNode node, Map<String, String> into) {
        if (!(node instanceof ObjectNode object)) {
            into.put(path, node.isTextual() ? node.textValue() : node.toString());
            return;
        }
        for (var each : object.properties()) {
            flatten(
                    path.isEmpty() ? each.getKey() : path + "." + each.getKey(),
                    each.getValue(),
                    into);
        }
    }

    // ---- Options that have no effect here ----

    /** Allows options that do not matter for what is computed. */
    public void ignore(String... keys) {
        known.addAll(Arrays.asList(keys));
    }

    /**
     * Allows an option at the values that are supported, when it is there and not null.
     *
     * @param supported strings, numbers, booleans, or null
     * @throws IllegalArgumentException if it has another value
     */
    public void only(String key, @Nullable Object... supported) {
        JsonNode value = present(key);
        if (value == null) {
            return;
        }
        for (Object each : supported) {
            JsonNode node = JSON.valueToTree(each);
            boolean same =
                    value.isNumber() && node.isNumber()
                            ? value.doubleValue() == node.doubleValue()
                            : value.equals(node);
            if (same) {
                return;
            }
        }
        throw new IllegalArgumentException(
                key
                        + " "
                        + value
                        + " is not supported, only "
                        + Arrays.stream(supported)
                                .map(each -> JSON.valueToTree(each).toString())
                                .collect(Collectors.joining(" or ")));
    }

    // ---- Options of a file that may have any ----

    /**
     * The options that are lists of two strings, by name, in the file's order. Lists of two nulls
     * are left out.
     */
    public Map<String, List<String>> pairs() {
        var pairs = new LinkedHashMap<String, List<String>>();
        for (var option : options.properties()) {
            JsonNode value = option.getValue();
            if (!value.isArray() || value.size() != 2) {
                continue;
            }
            JsonNode first = value.get(0);
            JsonNode second = value.get(1);
            if (first.isTextual() && second.isTextual()) {
                pairs.put(option.getKey(), List.of(first.textValue(), second.textValue()));
                known.add(option.getKey());
            } else if (first.isNull() && second.isNull()) {
                known.add(option.getKey());
            }
        }
        return pairs;
    }

    /**
     * Strings by name; none if the option is missing.
     *
     * @throws IllegalArgumentException if the option is something else
     */
    public Map<String, String> textsByName(String key) {
        var texts = new LinkedHashMap<String, String>();
        JsonNode value = present(key);
        if (value != null) {
            require(key, value, JsonNode::isObject, "an object")
                    .properties()
                    .forEach(
                            each ->
                                    texts.put(
                                            each.getKey(),
                                            require(
                                                            key,
                                                            each.getValue(),
                                                            JsonNode::isTextual,
                                                            "strings by name")
                                                    .textValue()));
        }
        return texts;
    }

    // ---- Options with a default ----

    /**
     * Whether the option is there and null, for what null means something else than its default.
     */
    public boolean isNull(String key) {
        JsonNode value = get(key);
        return value != null && value.isNull();
    }

    /** Whether the option is there, be it null. */
    public boolean has(String key) {
        return options.has(key);
    }

    /**
     * A string.
     *
     * @throws IllegalArgumentException if the option is something else
     */
    public String text(String key, String missing) {
        JsonNode value = present(key);
        return value == null
                ? missing
                : require(key, value, JsonNode::isTextual, "a string").textValue();
    }

    /**
     * An integer.
     *
     * @throws IllegalArgumentException if the option is something else
     */
    public int integer(String key, int missing) {
        JsonNode value = present(key);
        return value == null ? missing : integer(key, value);
    }

    /**
     * A number, maybe infinite or not a number.
     *
     * @throws IllegalArgumentException if the option is something else
     */
    public double number(String key, double missing) {
        JsonNode value = present(key);
        return value == null ? missing : number(key, value);
    }

    /**
     * True or false; null is false, as in the reference.
     *
     * @throws IllegalArgumentException if the option is something else
     */
    public boolean flag(String key, boolean missing) {
        JsonNode value = get(key);
        return value == null ? missing : !value.isNull() && flag(key, value);
    }

    /**
     * A list of strings.
     *
     * @throws IllegalArgumentException if the option is something else
     */
    public List<String> texts(String key, List<String> missing) {
        JsonNode value = present(key);
        return value == null
                ? missing
                : elements(key, value).stream()
                        .map(each -> require(key, each, JsonNode::isTextual, "strings").textValue())
                        .toList();
    }

    /**
     * A list of integers.
     *
     * @throws IllegalArgumentException if the option is something else
     */
    public List<Integer> integers(String key, List<Integer> missing) {
        JsonNode value = present(key);
        return value == null
                ? missing
                : elements(key, value).stream().map(each -> integer(key, each)).toList();
    }

    /**
     * A list of integers, or one for all.
     *
     * @param count how long the list is
     * @throws IllegalArgumentException if the option is something else, or of another length
     */
    public List<Integer> integerForEach(String key, int missing, int count) {
        return forEach(key, missing, count, value -> integer(key, value));
    }

    /**
     * A list whose elements are lists of integers, or integers that are lists of one; or one for
     * all.
     *
     * @param count how long the outer list is
     * @throws IllegalArgumentException if the option is something else
     */
    public List<List<Integer>> integersForEach(String key, int missing, int count) {
        return forEach(
                key,
                List.of(missing),
                count,
                value ->
                        (value.isArray() ? elements(key, value) : List.of(value))
                                .stream().map(each -> integer(key, each)).toList());
    }

    /**
     * A list of true and false, or one for all.
     *
     * @param count how long the list is
     * @throws IllegalArgumentException if the option is something else, or of another length
     */
    public List<Boolean> flagForEach(String key, boolean missing, int count) {
        return forEach(key, missing, count, value -> flag(key, value));
    }

    private <T> List<T> forEach(String key, T missing, int count, Function<JsonNode, T> read) {
        JsonNode value = present(key);
        if (value == null || !value.isArray()) {
            return Collections.nCopies(count, value == null ? missing : read.apply(value));
        }
        List<T> values = elements(key, value).stream().map(read).toList();
        if (values.size() != count) {
            throw new IllegalArgumentException(
                    key + " must have " + count + " elements, not " + values.size());
        }
        return values;
    }

    // ---- Options that may be null ----

    /** A string, or null if the option is missing or null. */
    public @Nullable String textOrNull(String key) {
        return present(key) == null ? null : text(key, "");
    }

    /** An integer, or null if the option is missing or null. */
    public @Nullable Integer integerOrNull(String key) {
        return present(key) == null ? null : Integer.valueOf(integer(key, 0));
    }

    /** A number, or null if the option is missing or null. */
    public @Nullable Double numberOrNull(String key) {
        return present(key) == null ? null : Double.valueOf(number(key, 0));
    }

    /** True, false, or null if the option is missing or null. */
    public @Nullable Boolean flagOrNull(String key) {
        return present(key) == null ? null : Boolean.valueOf(flag(key, false));
    }

    /** A list of numbers, or null if the option is missing or null. */
    public @Nullable List<Double> numbersOrNull(String key) {
        JsonNode value = present(key);
        return value == null
                ? null
                : elements(key, value).stream().map(each -> number(key, each)).toList();
    }

    // ---- Values ----

    private @Nullable JsonNode get(String key) {
        known.add(key);
        return options.get(key);
    }

    /** The value of an option that is there and not null. */
    private @Nullable JsonNode present(String key) {
        JsonNode value = get(key);
        return value == null || value.isNull() ? null : value;
    }

    private static int integer(String key, JsonNode value) {
        Predicate<JsonNode> kind = each -> each.isIntegralNumber() && each.canConvertToInt();
        int integer = require(key, value, kind, "an integer").intValue();
        Bounds.require(key, integer);
        return integer;
    }

    private static double number(String key, JsonNode value) {
        return require(key, value, JsonNode::isNumber, "a number").doubleValue();
    }

    private static boolean flag(String key, JsonNode value) {
        return require(key, value, JsonNode::isBoolean, "true or false").booleanValue();
    }

    private static List<JsonNode> elements(String key, JsonNode value) {
        var elements = new ArrayList<JsonNode>();
        require(key, value, JsonNode::isArray, "a list").forEach(elements::add);
        return elements;
    }

    private static JsonNode require(
            String key, JsonNode value, Predicate<JsonNode> kind, String expected) {
        if (!kind.test(value)) {
            throw new IllegalArgumentException(
                    OneLine.of(key + " must be " + expected + ", not " + value));
        }
        return value;
    }
}
