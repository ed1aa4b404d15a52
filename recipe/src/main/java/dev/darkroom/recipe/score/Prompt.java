package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Colour;

import org.jspecify.annotations.Nullable;

/**
 * A caption to sample, and what the picture must show.
 *
 * @param kind what it tests
 * @param text the caption
 * @param emoji the character
 * @param background the colour behind it
 * @param object the colour that the object must have; null if the caption leaves it open
 * @param seen whether a training picture shows this emoji on this background, in this colour if one
 *     is asked for
 */
record Prompt(
        Kind kind,
        String text,
        String emoji,
        Colour background,
        @Nullable Colour object,
        boolean seen) {
    /** What a caption tests. */
    enum Kind {
        /** An emoji on white. */
        WHITE,
        /** An emoji on a coloured background that training pictures have it on. */
        SEEN,
        /** An emoji on a coloured background that was held out. */
        HELD_OUT,
        /** An object of one colour on a background of another. */
        BINDING
    }
}
