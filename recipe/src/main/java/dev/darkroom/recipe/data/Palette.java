package dev.darkroom.recipe.data;

import org.jspecify.annotations.Nullable;

import java.util.EnumMap;
import java.util.Map;

/** Which colours an object has, and on which backgrounds it can be seen. */
final class Palette {
    /** Share of the object from which its colour is named. */
    private static final double NAMED = 0.6;

    /** How near a pixel is to a colour that one would name it by, see {@link Colour#nearest}. */
    private static final double NAMEABLE = 24;

    /** Width of the object's outline, in pixels of the art. */
    private static final int OUTLINE = 4;

    /** ΔE below which the outline can't be distinguished from the background. */
    private static final double MELTS = 24;

    /** Share of the outline that may melt into the background. */
    private static final double MOST_MELTED = 0.35;

    /** The same on white, the background of captions that name none. */
    private static final double MOST_MELTED_ON_WHITE = 0.9;

    private Palette() {}

    /** The share of an object's opaque pixels that each colour is nearest to. */
    static Map<Colour, Double> shares(Art art) {
        return shares(art, Double.MAX_VALUE);
    }

    /** The colour that one would name an object by; null if none prevails. */
    static @Nullable Colour named(Art art) {
        for (var entry : shares(art, NAMEABLE).entrySet()) {
            if (entry.getValue() >= NAMED) {
                return entry.getKey();
            }
        }
        return null;
    }

    private static Map<Colour, Double> shares(Art art, double limit) {
        Map<Colour, Integer> counts = new EnumMap<>(Colour.class);
        int opaque = 0;
        for (int i = 0; i < art.argb().length; i++) {
            if (art.alpha(i) >= Art.OPAQUE) {
                opaque++;
                Colour colour = Colour.nearest(Lab.of(art.argb()[i]), limit);
                if (colour != null) {
                    counts.merge(colour, 1, Integer::sum);
                }
            }
        }
        Map<Colour, Double> shares = new EnumMap<>(Colour.class);
        for (var entry : counts.entrySet()) {
            shares.put(entry.getKey(), (double) entry.getValue() / opaque);
        }
        return shares;
    }

    /** Whether an object can be seen on a background: how much of its outline differs from it. */
    static boolean shows(Art art, Colour background) {
        double most = background == Colour.WHITE ? MOST_MELTED_ON_WHITE : MOST_MELTED;
        return melted(art, background) <= most;
    }

    static double melted(Art art, Colour background) {
        int outline = 0;
        int melted = 0;
        for (int y = 0; y < art.height(); y++) {
            for (int x = 0; x < art.width(); x++) {
                int i = y * art.width() + x;
                if (art.alpha(i) >= Art.OPAQUE && isOutline(art, x, y)) {
                    outline++;
                    if (Lab.of(art.argb()[i]).distance(background.lab()) < MELTS) {
                        melted++;
                    }
                }
            }
        }
        return outline == 0 ? 1 : (double) melted / outline;
    }

    private static boolean isOutline(Art art, int x, int y) {
        return isClear(art, x - OUTLINE, y)
                || isClear(art, x + OUTLINE, y)
                || isClear(art, x, y - OUTLINE)
                || isClear(art, x, y + OUTLINE);
    }

    private static boolean isClear(Art art, int x, int y) {
        return x < 0
                || y < 0
                || x >= art.width()
                || y >= art.height()
                || art.alpha(y * art.width() + x) < Art.OPAQUE;
    }
}
