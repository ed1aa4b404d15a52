package dev.darkroom.recipe.data;

import dev.darkroom.recipe.data.Subject.Look;
import dev.darkroom.training.run.Seeds;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;

/**
 * Which pictures are made of an emoji.
 *
 * @param seed decides everything
 * @param variants pictures of each emoji in its own colours
 * @param recoloured pictures of each emoji in other colours, where that is possible
 */
record Plan(long seed, int variants, int recoloured) {
    /** Share of pictures in their own colours that are on white. */
    private static final double NATURAL_ON_WHITE = 0.4;

    /** Share of recoloured pictures that are on white. */
    private static final double RECOLOURED_ON_WHITE = 0.2;

    /** Share of captions that name the object's own colour, where it has one. */
    private static final double NAMED_COLOUR = 0.5;

    private static final double LEAST_SCALE = 0.85;
    private static final double MOST_SCALE = 0.90;
    private static final double MOST_SHIFT = 0.03;

    private static final long NATURAL = 1;
    private static final long RECOLOURED = 2;

    /** A picture to make: the art, where it goes, and what is said of it. */
    record Shot(Art art, Row row, double scale, double dx, double dy) {}

    /** The pictures of an emoji. */
    List<Shot> shots(Subject subject) {
        List<Shot> shots = new ArrayList<>();
        naturals(subject, shots);
        others(subject, shots);
        return shots;
    }

    /** The pairs, then the triples of an emoji that no picture shows, though they could be seen. */
    List<Row> heldOut(Subject subject) {
        var held = new HeldOut(seed);
        List<Row> rows = new ArrayList<>();
        for (Colour background : subject.natural().backgrounds()) {
            if (held.pair(subject.emoji(), background)) {
                rows.add(row(subject, null, background, null, false));
            }
        }
        subject.recoloured()
                .forEach(
                        (colour, look) -> {
                            for (Colour background : look.backgrounds()) {
                                if (isFree(held, subject, background)
                                        && held.triple(colour, subject.emoji(), background)) {
                                    rows.add(row(subject, colour, background, null, true));
                                }
                            }
                        });
        return rows;
    }

    private static boolean isFree(HeldOut held, Subject subject, Colour background) {
        return !held.pair(subject.emoji(), background);
    }

    private void naturals(Subject subject, List<Shot> shots) {
        var random = random(subject, NATURAL);
        var held = new HeldOut(seed);
        List<Colour> backgrounds = new ArrayList<>(subject.natural().backgrounds());
        backgrounds.removeIf(b -> b == Colour.WHITE || !isFree(held, subject, b));
        Collections.shuffle(backgrounds, random);
        boolean white = subject.natural().backgrounds().contains(Colour.WHITE);
        long onWhite = white ? Math.round(NATURAL_ON_WHITE * variants) : 0;
        for (int i = 0; i < variants; i++) {
            Colour background =
                    i < onWhite
                            ? Colour.WHITE
                            : backgrounds.get((int) (i - onWhite) % backgrounds.size());
            boolean named = subject.colour() != null && random.nextDouble() < NAMED_COLOUR;
            String text =
                    Captions.draw(
                            random, subject.emoji(), named ? subject.colour() : null, background);
            Row row = row(subject, subject.colour(), background, text, false);
            shots.add(shot(subject.natural(), row, random, shots.size()));
        }
    }

    /** Goes through the colours in turn, and through each colour's backgrounds in turn. */
    private void others(Subject subject, List<Shot> shots) {
        if (subject.recoloured().isEmpty()) {
            return;
        }
        var random = random(subject, RECOLOURED);
        var held = new HeldOut(seed);
        record Choice(Colour colour, Look look, List<Colour> backgrounds, boolean white) {}
        List<Choice> choices = new ArrayList<>();
        for (Map.Entry<Colour, Look> entry : subject.recoloured().entrySet()) {
            Colour colour = entry.getKey();
            List<Colour> free = new ArrayList<>(entry.getValue().backgrounds());
            free.removeIf(
                    b -> !isFree(held, subject, b) || held.triple(colour, subject.emoji(), b));
            boolean white = free.remove(Colour.WHITE);
            Collections.shuffle(free, random);
            choices.add(new Choice(colour, entry.getValue(), free, white));
        }
        Collections.shuffle(choices, random);
        for (int i = 0; i < recoloured; i++) {
            Choice choice = choices.get(i % choices.size());
            Colour background =
                    choice.white && random.nextDouble() < RECOLOURED_ON_WHITE
                            ? Colour.WHITE
                            : choice.backgrounds.get(
                                    i / choices.size() % choice.backgrounds.size());
            String text = Captions.draw(random, subject.emoji(), choice.colour, background);
            Row row = row(subject, choice.colour, background, text, true);
            shots.add(shot(choice.look, row, random, shots.size()));
        }
    }

    private Random random(Subject subject, long purpose) {
        return new Random(Seeds.of(seed, purpose, subject.emoji().codePoint()));
    }

    private static Shot shot(Look look, Row row, Random random, int number) {
        Row named =
                new Row(
                        String.format(
                                Locale.ROOT, "%05x-%03d.png", row.emoji().codePointAt(0), number),
                        row.text(),
                        row.emoji(),
                        row.name(),
                        row.background(),
                        row.object(),
                        row.recoloured());
        return new Shot(
                look.art(),
                named,
                random.nextDouble(LEAST_SCALE, MOST_SCALE),
                random.nextDouble(-MOST_SHIFT, MOST_SHIFT),
                random.nextDouble(-MOST_SHIFT, MOST_SHIFT));
    }

    private static Row row(
            Subject subject,
            @Nullable Colour colour,
            Colour background,
            @Nullable String text,
            boolean recoloured) {
        Emoji emoji = subject.emoji();
        String caption = text == null ? Captions.plain(emoji.name(), colour, background) : text;
        return new Row(
                null,
                caption,
                emoji.character(),
                emoji.name().words(),
                background,
                colour,
                recoloured);
    }
}
