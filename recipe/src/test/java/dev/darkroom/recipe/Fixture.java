package dev.darkroom.recipe;

import dev.darkroom.recipe.data.Emoji;
import dev.darkroom.recipe.data.EmojiSet;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.List;

import javax.imageio.ImageIO;

/** A few of the emoji, with their pictures from the font. */
public final class Fixture {
    private static final String CHARACTERS = "❤🐱🍎🍕🚀👻🚗🐟🍄⭐🔑🎸🏠🐧🌵🔴";

    private Fixture() {}

    /** Those of the committed list that have a picture here. */
    public static List<Emoji> emoji() {
        return EmojiSet.committed().stream()
                .filter(emoji -> CHARACTERS.codePoints().anyMatch(c -> c == emoji.codePoint()))
                .toList();
    }

    /** The picture of one, as the font has it. */
    public static BufferedImage picture(Emoji emoji) throws IOException {
        String name = "art/" + Integer.toHexString(emoji.codePoint()) + ".png";
        try (var in = Fixture.class.getResourceAsStream(name)) {
            return ImageIO.read(in);
        }
    }
}
