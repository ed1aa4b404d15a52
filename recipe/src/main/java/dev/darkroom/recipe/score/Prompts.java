package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Captions;
import dev.darkroom.recipe.data.Colour;
import dev.darkroom.recipe.data.Emoji;
import dev.darkroom.recipe.data.EmojiSet;
import dev.darkroom.recipe.data.Row;
import dev.darkroom.recipe.score.Prompt.Kind;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;

/**
 * The captions that a model is judged by: 200 in the wordings of training, 40 of them on white, 80
 * of seen (emoji, background) pairs and 80 of held-out ones; and 60 of a coloured object on a
 * background of another colour, 30 and their swaps. Which they are depends on the data folder and
 * the seed only.
 *
 * @param white captions on white
 * @param seen captions of seen pairs
 * @param heldOut captions of held-out pairs
 * @param swapped captions of coloured objects, each of which is followed by its swap
 */
record Prompts(int white, int seen, int heldOut, int swapped) {
    /** All 260. */
    static final Prompts FULL = new Prompts(40, 80, 80, 30);

    /** 40 for a quick look, none of them of coloured objects. */
    static final Prompts SHORT = new Prompts(8, 16, 16, 0);

    /** ΔE from which two colours can't be mistaken for each other. */
    private static final double CLEARLY_APART = 45;

    /** Something in a colour, before another. */
    private record Scene(String emoji, Colour object, Colour background) {}

    /**
     * Draws the captions.
     *
     * @param pictures the training pictures
     * @param held what is held out
     */
    List<Prompt> draw(List<Row> pictures, List<Row> held, long seed) {
        var random = new Random(seed);
        Map<String, Emoji> emoji = new HashMap<>();
        EmojiSet.committed().forEach(each -> emoji.put(each.character(), each));
        List<Prompt> prompts = new ArrayList<>();
        draw(pairs(pictures, true), white, Kind.WHITE, emoji, random, prompts);
        draw(pairs(pictures, false), seen, Kind.SEEN, emoji, random, prompts);
        draw(pairs(held, false), heldOut, Kind.HELD_OUT, emoji, random, prompts);
        drawSwapped(pictures, emoji, random, prompts);
        return prompts;
    }

    /** One row for each pair of an emoji in its own colours and a background. */
    private static List<Row> pairs(List<Row> rows, boolean white) {
        Map<String, Row> pairs = new LinkedHashMap<>();
        for (Row row : rows) {
            if (!row.recoloured() && (row.background() == Colour.WHITE) == white) {
                pairs.putIfAbsent(row.emoji() + row.background(), row);
            }
        }
        return new ArrayList<>(pairs.values());
    }

    private static void draw(
            List<Row> pairs,
            int count,
            Kind kind,
            Map<String, Emoji> emoji,
            Random random,
            List<Prompt> prompts) {
        Collections.shuffle(pairs, random);
        for (Row row : pairs.subList(0, Math.min(count, pairs.size()))) {
            prompts.add(
                    new Prompt(
                            kind,
                            Captions.draw(random, find(emoji, row.emoji()), null, row.background()),
                            row.emoji(),
                            row.background(),
                            null,
                            kind != Kind.HELD_OUT));
        }
    }

    private void drawSwapped(
            List<Row> pictures, Map<String, Emoji> emoji, Random random, List<Prompt> prompts) {
        Map<String, Set<Colour>> colours = new LinkedHashMap<>();
        Set<Scene> scenes = new HashSet<>();
        for (Row row : pictures) {
            if (row.recoloured()) {
                colours.computeIfAbsent(row.emoji(), any -> EnumSet.noneOf(Colour.class));
            }
        }
        for (Row row : pictures) {
            Set<Colour> known = colours.get(row.emoji());
            if (known != null && row.object() != null) {
                scenes.add(new Scene(row.emoji(), row.object(), row.background()));
                if (Colour.OF_OBJECTS.contains(row.object())) {
                    known.add(row.object());
                }
            }
        }
        List<String> objects = new ArrayList<>(colours.keySet());
        Collections.shuffle(objects, random);
        for (String object : objects.subList(0, Math.min(swapped, objects.size()))) {
            List<Colour> two = new ArrayList<>(colours.get(object));
            do {
                Collections.shuffle(two, random);
            } while (two.get(0).lab().distance(two.get(1).lab()) < CLEARLY_APART);
            for (Scene scene :
                    List.of(
                            new Scene(object, two.get(0), two.get(1)),
                            new Scene(object, two.get(1), two.get(0)))) {
                prompts.add(
                        new Prompt(
                                Kind.BINDING,
                                Captions.onBackground(
                                        find(emoji, object).name(), scene.object, scene.background),
                                object,
                                scene.background,
                                scene.object,
                                scenes.contains(scene)));
            }
        }
    }

    /** Writes captions of pairs as a table. */
    static void write(Path file, List<Prompt> prompts) throws IOException {
        var text = new StringBuilder();
        for (Prompt each : prompts) {
            text.append(each.kind()).append('\t').append(each.text()).append('\t');
            text.append(each.emoji()).append('\t').append(each.background().word()).append('\n');
        }
        Files.writeString(file, text);
    }

    /** Reads captions from the lines of a table that {@link #write} wrote. */
    static List<Prompt> read(Stream<String> lines) {
        return lines.map(line -> line.split("\t"))
                .map(
                        cells ->
                                new Prompt(
                                        Kind.valueOf(cells[0]),
                                        cells[1],
                                        cells[2],
                                        Colour.ofWord(cells[3]),
                                        null,
                                        !cells[0].equals(Kind.HELD_OUT.name())))
                .toList();
    }

    private static Emoji find(Map<String, Emoji> emoji, String character) {
        Emoji found = emoji.get(character);
        if (found == null) {
            throw new IllegalArgumentException(
                    "the pictures show "
                            + character
                            + ", which is not in the list of emoji any more; make them anew");
        }
        return found;
    }
}
