package dev.darkroom.recipe.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

class EmojiSetTest {
    @TempDir private Path folder;

    @Test
    void theListHasEnoughAndEachOnce() {
        List<Emoji> list = EmojiSet.committed();
        assertTrue(list.size() >= 300, () -> list.size() + " emoji");
        Set<Integer> characters = new HashSet<>();
        Set<String> names = new HashSet<>();
        for (Emoji emoji : list) {
            assertTrue(characters.add(emoji.codePoint()), emoji.character());
            assertTrue(names.add(emoji.name().words()), emoji.name().words());
            emoji.others().forEach(other -> assertTrue(names.add(other.words()), other.words()));
        }
    }

    @Test
    void namesArePlainAndWithoutColours() {
        for (Emoji emoji : EmojiSet.committed()) {
            String name = emoji.name().words();
            assertTrue(name.matches("[a-z]+(-[a-z]+)?( [a-z]+){0,2}"), name);
            for (Colour colour : Colour.values()) {
                assertFalse(List.of(name.split(" ")).contains(colour.word()), name);
            }
        }
    }

    @Test
    void addsPlainNamesOfCldr() throws IOException {
        ArrayNode names = names();
        label(names, "🔑", "Golden Key");
        label(names, "❤", "red heart");
        label(names, "🐱", "cat face");
        label(names, "🍎", "pear");
        List<Emoji> named = EmojiSet.named(write(names));
        assertEquals(List.of("golden key"), others(named, "🔑"));
        assertEquals(List.of(), others(named, "❤"), "a colour is no part of a name");
        assertEquals(List.of("kitten"), others(named, "🐱"), "a face is a cat too");
        assertEquals(List.of(), others(named, "🍎"), "another emoji has this name");
    }

    @Test
    void refusesNamesThatCldrDoesNotHave() throws IOException {
        ArrayNode names = names();
        find(names, "🐱").putArray("tags");
        Path file = write(names);
        var failure = assertThrows(IOException.class, () -> EmojiSet.named(file));
        assertEquals("'kitten' is no keyword of 🐱", failure.getMessage());
    }

    @Test
    void namesTheEmojiThatIsMissing() throws IOException {
        Path file = write(new JsonMapper().createArrayNode());
        var failure = assertThrows(IOException.class, () -> EmojiSet.named(file));
        assertTrue(failure.getMessage().contains("lacks 😀"), failure.getMessage());
    }

    /** The list itself, in the form of emojibase. */
    private static ArrayNode names() {
        ArrayNode names = new JsonMapper().createArrayNode();
        for (Emoji emoji : EmojiSet.committed()) {
            ObjectNode entry = names.addObject();
            entry.put("emoji", emoji.character() + "\ufe0f").put("label", emoji.name().words());
            ArrayNode tags = entry.putArray("tags");
            emoji.others().forEach(other -> tags.add(other.words()));
        }
        return names;
    }

    private static ObjectNode find(ArrayNode names, String emoji) {
        for (var entry : names) {
            if (entry.path("emoji").asText().startsWith(emoji)) {
                return (ObjectNode) entry;
            }
        }
        throw new AssertionError(emoji);
    }

    private static void label(ArrayNode names, String emoji, String label) {
        find(names, emoji).put("label", label);
    }

    private static List<String> others(List<Emoji> named, String character) {
        return named.stream()
                .filter(emoji -> emoji.character().equals(character))
                .flatMap(emoji -> emoji.others().stream())
                .map(Emoji.Name::words)
                .toList();
    }

    private Path write(ArrayNode names) throws IOException {
        return Files.writeString(folder.resolve("data.json"), names.toString());
    }
}
