package dev.darkroom.recipe.data;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;

/**
 * The colours that captions name: white and twelve others, each with the pixel that backgrounds and
 * recoloured objects have, and further shades by which art is recognised as having that colour.
 */
public enum Colour {
    WHITE(0xffffff, 0xe8eaec),
    RED(0xd72328, 0xa01822, 0xf04a45, 0xfa4614),
    ORANGE(0xfa8c14, 0xe8701a, 0xf2a04c),
    YELLOW(0xffde32, 0xfcc21b, 0xe0b41e, 0xffe680),
    GREEN(0x2da041, 0x1b6b2c, 0x7cb342, 0x8bd07a, 0xb4d21c),
    BLUE(0x235fd7, 0x1a3d96, 0x4285f4, 0x1976d2),
    PURPLE(0x823cb9, 0x5a2a85, 0xa86fd6),
    PINK(0xfa96c3, 0xe85aa0, 0xf7b8c8),
    BROWN(0x784b2d, 0x54321e, 0x9a6a48, 0xb67a48),
    BLACK(0x141414, 0x333336),
    GRAY(0x919191, 0x6a6a6c, 0xb6b8ba, 0x8aa5b4),
    CYAN(0x46cdeb, 0x8fdcf0),
    TEAL(0x00787d, 0x00585c, 0x35a09c);

    /** The colours that objects are given. */
    public static final Set<Colour> OF_OBJECTS =
            EnumSet.of(RED, ORANGE, YELLOW, GREEN, BLUE, PURPLE, PINK, BROWN, BLACK, WHITE);

    /** Names go by hue more than by lightness, which shading changes. */
    private static final double LIGHTNESS_WEIGHT = 0.6;

    private final int rgb;
    private final Lab lab;
    private final List<Lab> shades;

    Colour(int rgb, int... shades) {
        this.rgb = rgb;
        lab = Lab.of(rgb);
        var all = new ArrayList<Lab>();
        all.add(lab);
        for (int shade : shades) {
            all.add(Lab.of(shade));
        }
        this.shades = List.copyOf(all);
    }

    /** The pixel, {@code 0xRRGGBB}. */
    public int rgb() {
        return rgb;
    }

    /** The pixel's colour. */
    public Lab lab() {
        return lab;
    }

    /** The word in captions. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The colour of a word in captions. */
    public static Colour ofWord(String word) {
        return valueOf(word.toUpperCase(Locale.ROOT));
    }

    /** The colour whose nearest shade is nearest. */
    public static Colour nearest(Lab lab) {
        return Objects.requireNonNull(nearest(lab, Double.MAX_VALUE));
    }

    /**
     * The colour whose nearest shade is nearest; null if it is no nearer than {@code limit}, a ΔE
     * with less weight on lightness.
     */
    static @Nullable Colour nearest(Lab lab, double limit) {
        Colour best = null;
        double least = limit * limit;
        for (Colour colour : values()) {
            for (Lab shade : colour.shades) {
                double distance = shade.squaredDistance(lab, LIGHTNESS_WEIGHT);
                if (distance < least) {
                    least = distance;
                    best = colour;
                }
            }
        }
        return best;
    }
}
