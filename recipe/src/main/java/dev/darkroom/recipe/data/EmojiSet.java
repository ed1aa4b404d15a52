package dev.darkroom.recipe.data;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.recipe.data.Emoji.Name;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/** The emoji of the embedded model: the list {@code emoji.tsv}, with names from CLDR added. */
public final class EmojiSet {
    private static final String LIST = "emoji.tsv";
    private static final char NO_ARTICLE = '*';
    private static final String UNNAMED = "-";
    private static final String KEPT = "=";
    private static final int VARIATION_SELECTORS = 0xfe00;
    private static final int MOST_WORDS = 3;
    private static final Pattern PLAIN = Pattern.compile("[a-z]+(?:[ -][a-z]+)*");

    /** Words by which CLDR's name says more than what the thing is. */
    private static final Set<String> NO_NAMES =
            Set.of(
                    "with", "without", "of", "in", "and", "face", "done", "locked", "cooking",
                    "closed", "luggage", "ice");

    private EmojiSet() {}

    /** The list as it is committed, in its order. */
    public static List<Emoji> committed() {
        try (var in = EmojiSet.class.getResourceAsStream(LIST)) {
            if (in == null) {
                throw new IOException("the list of emoji is missing");
            }
            return parse(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static List<Emoji> parse(String text) {
        return text.lines().filter(line -> !line.startsWith("#")).map(EmojiSet::line).toList();
    }

    private static Emoji line(String line) {
        String[] fields = line.split("\t", -1);
        List<Name> others = new ArrayList<>();
        if (fields.length > 2 && !fields[2].isEmpty()) {
            for (String other : fields[2].split(",", -1)) {
                others.add(name(other));
            }
        }
        String flags = fields.length > 3 ? fields[3] : "";
        return new Emoji(
                fields[0].codePointAt(0),
                name(fields[1]),
                List.copyOf(others),
                !flags.contains(UNNAMED),
                !flags.contains(KEPT));
    }

    private static Name name(String field) {
        boolean counted = field.charAt(0) != NO_ARTICLE;
        return new Name(counted ? field : field.substring(1), counted);
    }

    /**
     * The list with the names of CLDR: an emoji's own, where it is plain, has no colour and no
     * other emoji has it.
     *
     * @param file {@code en/data.json} of emojibase-data
     * @throws IOException if the file can't be read, lacks an emoji, or does not have a further
     *     name of the list among that emoji's keywords
     */
    public static List<Emoji> named(Path file) throws IOException {
        Map<Integer, JsonNode> entries = new HashMap<>();
        for (JsonNode entry : new JsonMapper().readTree(file.toFile())) {
            String character = entry.path("emoji").asText();
            if (isSingle(character)) {
                entries.put(character.codePointAt(0), entry);
            }
        }
        List<Emoji> listed = committed();
        Set<String> taken = new HashSet<>();
        listed.forEach(
                emoji -> {
                    taken.add(emoji.name().words());
                    emoji.others().forEach(other -> taken.add(other.words()));
                });
        List<Emoji> named = new ArrayList<>();
        for (Emoji emoji : listed) {
            JsonNode entry = entries.get(emoji.codePoint());
            if (entry == null) {
                throw new IOException(file + " lacks " + emoji.character());
            }
            named.add(withLabel(emoji, entry, taken));
        }
        return named;
    }

    private static boolean isSingle(String character) {
        long codes = character.codePoints().filter(c -> c >> 4 != VARIATION_SELECTORS >> 4).count();
        return codes == 1;
    }

    private static Emoji withLabel(Emoji emoji, JsonNode entry, Set<String> taken)
            throws IOException {
        String label = entry.path("label").asText().toLowerCase(Locale.ROOT);
        Set<String> known = new HashSet<>(Set.of(label));
        entry.path("tags").forEach(tag -> known.add(tag.asText()));
        for (Name other : emoji.others()) {
            if (!known.contains(other.words())) {
                throw new IOException(
                        "'" + other.words() + "' is no keyword of " + emoji.character());
            }
        }
        if (!isPlain(label) || !taken.add(label)) {
            return emoji;
        }
        var others = new ArrayList<>(emoji.others());
        others.add(new Name(label, emoji.name().counted()));
        return new Emoji(
                emoji.codePoint(),
                emoji.name(),
                List.copyOf(others),
                emoji.named(),
                emoji.recolourable());
    }

    private static boolean isPlain(String label) {
        List<String> words = List.of(label.split("[ -]"));
        return PLAIN.matcher(label).matches()
                && words.size() <= MOST_WORDS
                && words.stream().noneMatch(NO_NAMES::contains)
                && words.stream().noneMatch(EmojiSet::isColour);
    }

    private static boolean isColour(String word) {
        for (Colour colour : Colour.values()) {
            if (colour.word().equals(word)) {
                return true;
            }
        }
        return false;
    }
}
