package dev.darkroom.tokenizers;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;

/**
 * What {@code tokenizer_config.json}, {@code special_tokens_map.json} and {@code added_tokens.json}
 * say together.
 *
 * <p>As in transformers, {@code added_tokens_decoder} within the first file makes the other two
 * void; without it they are read, and the added tokens of {@code tokenizer.json} too.
 *
 * @param className {@code tokenizer_class}
 * @param special the tokens with a role that are given with flags
 * @param names the tokens with a role that are given by their text alone
 * @param additional {@code additional_special_tokens}, or null where none are given
 * @param added tokens with ids
 * @param extraIds how many {@code <extra_id_N>} T5 gets, or null where it is not said
 * @param addPrefixSpace or null where it is not said
 */
record TokenizerSettings(
        Path folder,
        @Nullable String className,
        Map<Role, AddedToken> special,
        Map<Role, String> names,
        @Nullable List<AddedToken> additional,
        TreeMap<Integer, AddedToken> added,
        int maxLength,
        boolean legacy,
        @Nullable Integer extraIds,
        @Nullable Boolean addPrefixSpace) {

    /** Roles of special tokens, in the order in which transformers adds them. */
    enum Role {
        BOS,
        EOS,
        UNK,
        SEP,
        PAD,
        CLS,
        MASK;

        String key() {
            return name().toLowerCase(Locale.ROOT) + "_token";
        }
    }

    static TokenizerSettings read(Path folder) throws IOException {
        return new Reader(folder).read();
    }

    Path configFile() {
        return folder.resolve("tokenizer_config.json");
    }

    /** The token of a role that has one, by the file or by {@link #withDefaults}. */
    AddedToken special(Role role) {
        return Objects.requireNonNull(special.get(role), role::key);
    }

    /** Returns these settings with tokens for roles that have none. */
    TokenizerSettings withDefaults(Map<Role, String> defaults) {
        return withDefaults(defaults, EnumSet.noneOf(Role.class));
    }

    /**
     * Returns what {@link #withDefaults(Map)} does.
     *
     * @param normalized the roles whose tokens, where they are given by their text alone, are
     *     looked for in the normalised text
     */
    TokenizerSettings withDefaults(Map<Role, String> defaults, Set<Role> normalized) {
        var contents = new EnumMap<Role, String>(Role.class);
        contents.putAll(defaults);
        contents.putAll(names);
        var all = new EnumMap<Role, AddedToken>(Role.class);
        contents.forEach(
                (role, content) ->
                        all.put(
                                role,
                                new AddedToken(
                                        content,
                                        false,
                                        false,
                                        false,
                                        normalized.contains(role),
                                        true)));
        all.putAll(special);
        return new TokenizerSettings(
                folder,
                className,
                all,
                Map.of(),
                additional,
                added,
                maxLength,
                legacy,
                extraIds,
                addPrefixSpace);
    }

    /** The special tokens in the order in which they are added, each text once. */
    List<AddedToken> allSpecial() {
        var all = new LinkedHashMap<String, AddedToken>();
        for (var role : Role.values()) {
            var token = special.get(role);
            if (token != null) {
                all.putIfAbsent(token.content(), token.asSpecial());
            }
        }
        if (additional != null) {
            additional.forEach(token -> all.putIfAbsent(token.content(), token.asSpecial()));
        }
        return List.copyOf(all.values());
    }

    /**
     * T5's additional special tokens: those given, else {@code <extra_id_N>}, a hundred if it isn't
     * said how many.
     *
     * @throws TokenizerException if both are given and do not fit together
     */
    TokenizerSettings withExtraIds() throws TokenizerException {
        int count = extraIds == null ? 100 : extraIds;
        var all = new ArrayList<AddedToken>(additional == null ? List.of() : additional);
        long given = all.stream().filter(AddedToken::isExtraId).count();
        if (given == 0) {
            for (int i = 0; i < count; i++) {
                all.add(AddedToken.special("<extra_id_" + i + ">"));
            }
        } else if (count > 0 && count != given) {
            throw new TokenizerException(
                    configFile(),
                    "extra_ids is "
                            + count
                            + " but additional_special_tokens has "
                            + given
                            + " tokens <extra_id_N>");
        }
        return new TokenizerSettings(
                folder,
                className,
                special,
                names,
                all,
                added,
                maxLength,
                legacy,
                count,
                addPrefixSpace);
    }

    private static final class Reader {
        private static final int MOST_EXTRA_IDS = 100_000;

        private final Path folder;
        private final Map<Role, AddedToken> special = new EnumMap<>(Role.class);
        private final Map<Role, String> names = new EnumMap<>(Role.class);
        private @Nullable List<AddedToken> additional;
        private final TreeMap<Integer, AddedToken> added = new TreeMap<>();

        Reader(Path folder) {
            this.folder = folder;
        }

        TokenizerSettings read() throws IOException {
            var file = folder.resolve("tokenizer_config.json");
            JsonFile config =
                    Files.isRegularFile(file)
                            ? JsonFile.read(file)
                            : new JsonFile(file, JsonNodeFactory.instance.objectNode());
            var root = config.root();
            refuseUnsupported(config);
            readSpecial(config, false);
            var decoder = config.optional(root, "added_tokens_decoder");
            if (decoder != null) {
                for (var entry : config.object(root, "added_tokens_decoder").properties()) {
                    added.put(
                            id(config, entry.getKey()), config.addedToken(entry.getValue(), false));
                }
            } else {
                readOlderFiles();
            }
            var byContent = new LinkedHashMap<String, AddedToken>();
            added.values().forEach(token -> byContent.put(token.content(), token));
            special.replaceAll((role, token) -> byContent.getOrDefault(token.content(), token));
            names.forEach(
                    (role, content) -> {
                        var token = byContent.get(content);
                        if (token != null) {
                            special.put(role, token);
                        }
                    });
            return new TokenizerSettings(
                    folder,
                    config.string(root, "tokenizer_class", null),
                    special,
                    names,
                    additional,
                    added,
                    maxLength(config),
                    config.bool(root, "legacy", true),
                    extraIds(config),
                    config.optional(root, "add_prefix_space") == null
                            ? null
                            : config.bool(root, "add_prefix_space", true));
        }

        private void readOlderFiles() throws IOException {
            var map = folder.resolve("special_tokens_map.json");
            if (Files.isRegularFile(map)) {
                readSpecial(JsonFile.read(map), true);
            }
            var addedFile = folder.resolve("added_tokens.json");
            if (Files.isRegularFile(addedFile)) {
                var json = JsonFile.read(addedFile);
                Set<String> specials = specials();
                for (var entry : json.root().properties()) {
                    String content = entry.getKey();
                    int id = json.id(json.root(), content, "the id of an added token");
                    boolean isSpecial = specials.contains(content);
                    added.put(
                            id,
                            new AddedToken(content, false, false, false, !isSpecial, isSpecial));
                }
            }
            var fast = folder.resolve("tokenizer.json");
            if (Files.isRegularFile(fast)) {
                var json = JsonFile.read(fast);
                if (json.optional(json.root(), "added_tokens") != null) {
                    for (var token : json.array(json.root(), "added_tokens")) {
                        added.put(
                                json.id(token, "id", "the id of an added token"),
                                json.addedToken(token, false));
                    }
                }
            }
        }

        private Set<String> specials() {
            var all = new HashSet<String>(names.values());
            special.values().forEach(token -> all.add(token.content()));
            if (additional != null) {
                additional.forEach(token -> all.add(token.content()));
            }
            return all;
        }

        private void readSpecial(JsonFile json, boolean isSpecial) throws TokenizerException {
            for (var role : Role.values()) {
                var token = json.optional(json.root(), role.key());
                if (token == null) {
                    continue;
                }
                if (token.isTextual()) {
                    names.put(role, token.textValue());
                    special.remove(role);
                } else {
                    names.remove(role);
                    special.put(role, json.addedToken(token, isSpecial));
                }
            }
            if (json.optional(json.root(), "additional_special_tokens") != null) {
                var tokens = new LinkedHashMap<String, AddedToken>();
                if (additional != null) {
                    additional.forEach(token -> tokens.put(token.content(), token));
                }
                for (JsonNode node : json.array(json.root(), "additional_special_tokens")) {
                    var token = json.addedToken(node, true);
                    tokens.putIfAbsent(token.content(), token);
                }
                additional = List.copyOf(tokens.values());
            }
        }

        private static void refuseUnsupported(JsonFile config) throws TokenizerException {
            for (var side : List.of("padding_side", "truncation_side")) {
                var value = config.string(config.root(), side, "right");
                if (!"right".equals(value)) {
                    throw config.error(
                            side + " \"" + value + "\" is not supported, only \"right\"");
                }
            }
            if (config.bool(config.root(), "split_special_tokens", false)) {
                throw config.error("split_special_tokens is not supported");
            }
            var sampling = config.optional(config.root(), "sp_model_kwargs");
            if (sampling != null && !sampling.isEmpty()) {
                throw config.error("sp_model_kwargs are not supported: " + sampling);
            }
        }

        /** Absent, or the 1e30 that transformers writes for "none", counts as no bound. */
        private static int maxLength(JsonFile config) throws TokenizerException {
            var value = config.optional(config.root(), "model_max_length");
            if (value == null) {
                return Integer.MAX_VALUE;
            }
            if (!value.isNumber() || !(value.doubleValue() >= 1)) {
                throw config.error("\"model_max_length\" should be a positive number");
            }
            return (int) Math.min(Integer.MAX_VALUE, value.doubleValue());
        }

        private static @Nullable Integer extraIds(JsonFile config) throws TokenizerException {
            if (config.optional(config.root(), "extra_ids") == null) {
                return null;
            }
            int extraIds = config.integer(config.root(), "extra_ids");
            if (extraIds < 0 || extraIds > MOST_EXTRA_IDS) {
                throw config.error("\"extra_ids\" should be from 0 to " + MOST_EXTRA_IDS);
            }
            return extraIds;
        }

        private static int id(JsonFile json, String text) throws TokenizerException {
            try {
                return checkId(json, Integer.parseInt(text));
            } catch (NumberFormatException e) {
                throw new TokenizerException(
                        json.path(), "\"" + text + "\" is not the id of a token", e);
            }
        }

        private static int checkId(JsonFile json, int id) throws TokenizerException {
            if (id < 0 || id > Limits.ID) {
                throw json.error(
                        "the id " + id + " of an added token is not from 0 to " + Limits.ID);
            }
            return id;
        }
    }
}
