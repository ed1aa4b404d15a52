package dev.darkroom.recipe.data;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * An emoji with its art in all its colours, and the backgrounds on which each can be seen.
 *
 * @param emoji the emoji
 * @param natural the art as it is
 * @param colour what one would call the art's colour; null if nothing
 * @param recoloured the art in other colours; empty where it has no main colour
 */
record Subject(Emoji emoji, Look natural, @Nullable Colour colour, Map<Colour, Look> recoloured) {
    /** Colours that an object must be able to take, to be recoloured at all. */
    private static final int LEAST_COLOURS = 7;

    /**
     * Art in one colour.
     *
     * @param backgrounds on which it can be seen
     */
    record Look(Art art, List<Colour> backgrounds) {
        static Look of(Art art, @Nullable Colour colour) {
            List<Colour> shown = new ArrayList<>();
            for (Colour background : Colour.values()) {
                if (background != colour && Palette.shows(art, background)) {
                    shown.add(background);
                }
            }
            return new Look(art, List.copyOf(shown));
        }
    }

    static Subject of(Emoji emoji, Art art) {
        Colour colour = emoji.named() ? Palette.named(art) : null;
        Map<Colour, Look> recoloured = new EnumMap<>(Colour.class);
        var recolouring = new Recolouring(art);
        if (emoji.recolourable() && recolouring.isPossible()) {
            for (Colour to : Colour.OF_OBJECTS) {
                Art changed = recolouring.to(to);
                if (Recolouring.isTrue(changed, to)) {
                    recoloured.put(to, Look.of(changed, to));
                }
            }
        }
        if (recoloured.size() < LEAST_COLOURS) {
            recoloured.clear();
        }
        recoloured.keySet().removeIf(to -> to == colour);
        // White stays, where plain captions put things, white ones too.
        Colour unseen = colour == Colour.WHITE ? null : colour;
        return new Subject(emoji, Look.of(art, unseen), colour, recoloured);
    }
}
