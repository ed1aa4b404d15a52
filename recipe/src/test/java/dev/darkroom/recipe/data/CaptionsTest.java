package dev.darkroom.recipe.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.recipe.data.Emoji.Name;

import org.junit.jupiter.api.Test;

import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;

class CaptionsTest {
    private static final Emoji APPLE =
            new Emoji(
                    0x1f34e,
                    new Name("apple", true),
                    List.of(new Name("fruits", false)),
                    true,
                    true);

    @Test
    void articlesGoByTheFirstSound() {
        assertEquals("an apple", Captions.withArticle("apple"));
        assertEquals("an orange cat", Captions.withArticle("orange cat"));
        assertEquals("an hourglass", Captions.withArticle("hourglass"));
        assertEquals("a unicorn", Captions.withArticle("unicorn"));
        assertEquals("a t-rex", Captions.withArticle("t-rex"));
    }

    @Test
    void plainCaptionsLeaveWhiteUnsaid() {
        assertEquals("an apple", Captions.plain(APPLE.name(), null, Colour.WHITE));
        assertEquals(
                "a red apple on an orange background",
                Captions.plain(APPLE.name(), Colour.RED, Colour.ORANGE));
        assertEquals(
                "green scissors on a blue background",
                Captions.plain(new Name("scissors", false), Colour.GREEN, Colour.BLUE));
    }

    @Test
    void theColoursAreAlwaysNamed() {
        Set<String> captions = draw(Colour.GREEN, Colour.PURPLE);
        for (String caption : captions) {
            assertTrue(
                    caption.contains("green apple") || caption.contains("green fruits"), caption);
            assertTrue(caption.contains("purple"), caption);
        }
        assertTrue(captions.contains("a purple background with a green apple"));
        assertTrue(captions.contains("green fruits, purple background"));
        assertFalse(captions.contains("a green fruits on a purple background"));
    }

    @Test
    void whiteIsNamedSometimes() {
        Set<String> captions = draw(null, Colour.WHITE);
        assertTrue(
                captions.containsAll(Set.of("apple", "an apple", "an apple on white")),
                "" + captions);
    }

    private static Set<String> draw(Colour object, Colour background) {
        var random = new Random(3);
        Set<String> captions = new HashSet<>();
        for (int i = 0; i < 500; i++) {
            captions.add(Captions.draw(random, APPLE, object, background));
        }
        return captions;
    }
}
