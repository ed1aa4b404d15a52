package dev.darkroom.recipe.data;

import java.util.List;

/**
 * An emoji and what captions call it.
 *
 * @param codePoint the character
 * @param name one or two words, lower case, without a colour
 * @param others further names
 * @param named whether captions may name the colour of the art as it is, if it has one
 * @param recolourable whether the art may be given other colours; people keep theirs
 */
public record Emoji(
        int codePoint, Name name, List<Name> others, boolean named, boolean recolourable) {
    /**
     * A name.
     *
     * @param words the words
     * @param counted whether it takes an article
     */
    public record Name(String words, boolean counted) {}

    /** The character as text. */
    public String character() {
        return Character.toString(codePoint);
    }
}
