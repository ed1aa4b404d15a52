package dev.darkroom.recipe.data;

import dev.darkroom.recipe.data.Emoji.Name;

import org.jspecify.annotations.Nullable;

import java.util.Locale;
import java.util.Set;
import java.util.random.RandomGenerator;

/** The wording of captions. */
public final class Captions {
    /** Share of captions that use another name, where there is one. */
    private static final double OTHER_NAME = 0.2;

    /** Share of captions of a white background that name it. */
    private static final double NAMED_WHITE = 0.4;

    /** Words whose first letter misleads about their first sound. */
    private static final Set<String> CONSONANT_FIRST = Set.of("unicorn", "ufo");

    private static final Set<String> VOWEL_FIRST = Set.of("hourglass");

    /** {@code %1$s} is the object with its article, {@code %2$s} without. */
    private static final String[] ALONE = {
        "%1$s", "%2$s", "%1$s", "%2$s", "a picture of %1$s", "an emoji of %1$s"
    };

    /** {@code %3$s} is the background's colour with its article, {@code %4$s} without. */
    private static final String[] BEFORE = {
        "%1$s on %3$s background",
        "%1$s on %3$s background",
        "%1$s on %3$s background",
        "%2$s on %3$s background",
        "%2$s, %4$s background",
        "%2$s on %4$s",
        "%1$s on %4$s",
        "a picture of %1$s on %3$s background",
        "%1$s in front of %3$s background",
        "%3$s background with %1$s"
    };

    private Captions() {}

    /**
     * Draws a caption.
     *
     * @param object the object's colour, if it is to be named
     * @param background named always, but white only sometimes
     */
    public static String draw(
            RandomGenerator random, Emoji emoji, @Nullable Colour object, Colour background) {
        boolean other = random.nextDouble() < OTHER_NAME && !emoji.others().isEmpty();
        Name name =
                other ? emoji.others().get(random.nextInt(emoji.others().size())) : emoji.name();
        boolean named = background != Colour.WHITE || random.nextDouble() < NAMED_WHITE;
        String[] wordings = named ? BEFORE : ALONE;
        return worded(wordings[random.nextInt(wordings.length)], name, object, background);
    }

    /** The plainest caption: "a red heart on a blue background", "a heart". */
    static String plain(Name name, @Nullable Colour object, Colour background) {
        return background == Colour.WHITE
                ? worded(ALONE[0], name, object, background)
                : onBackground(name, object, background);
    }

    /** The plainest caption that names the background: "a red heart on a blue background". */
    public static String onBackground(Name name, @Nullable Colour object, Colour background) {
        return worded(BEFORE[0], name, object, background);
    }

    private static String worded(
            String wording, Name name, @Nullable Colour object, Colour background) {
        String bare = object == null ? name.words() : object.word() + " " + name.words();
        return String.format(
                Locale.ROOT,
                wording,
                name.counted() ? withArticle(bare) : bare,
                bare,
                withArticle(background.word()),
                background.word());
    }

    /** "an apple", "a unicorn". */
    static String withArticle(String words) {
        String first = words.split("[ -]", 2)[0];
        boolean vowel = "aeiou".indexOf(first.charAt(0)) >= 0;
        boolean an = VOWEL_FIRST.contains(first) || vowel && !CONSONANT_FIRST.contains(first);
        return (an ? "an " : "a ") + words;
    }
}
