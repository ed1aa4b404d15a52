package dev.darkroom.recipe.data;

import dev.darkroom.recipe.Fixture;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import javax.imageio.ImageIO;

/** Pictures of the few emoji, made as training pictures are. */
public final class FixturePictures {
    private static final List<Subject> SUBJECTS = subjects();

    private FixturePictures() {}

    private static List<Subject> subjects() {
        List<Subject> subjects = new ArrayList<>();
        for (Emoji emoji : Fixture.emoji()) {
            try {
                subjects.add(Subject.of(emoji, Art.of(Fixture.picture(emoji))));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return subjects;
    }

    /** The pictures that a seed makes. */
    public static Map<Row, BufferedImage> of(long seed, int variants, int recoloured) {
        Map<Row, BufferedImage> pictures = new LinkedHashMap<>();
        var plan = new Plan(seed, variants, recoloured);
        for (Subject subject : SUBJECTS) {
            for (Plan.Shot shot : plan.shots(subject)) {
                int background = shot.row().background().rgb();
                pictures.put(
                        shot.row(),
                        shot.art()
                                .onto(
                                        background,
                                        DataCommand.SIDE,
                                        shot.scale(),
                                        shot.dx(),
                                        shot.dy()));
            }
        }
        return pictures;
    }

    /** Writes a folder as the command {@code data} makes it. */
    public static void write(Path folder, long seed, int variants, int recoloured)
            throws IOException {
        Map<Row, BufferedImage> pictures = of(seed, variants, recoloured);
        for (var each : pictures.entrySet()) {
            Path file = folder.resolve(String.valueOf(each.getKey().file()));
            ImageIO.write(each.getValue(), "png", file.toFile());
        }
        Row.write(folder.resolve(Row.METADATA), List.copyOf(pictures.keySet()));
        Row.write(folder.resolve(Row.HELD_OUT), heldOut(seed));
    }

    /** What a seed holds out. */
    public static List<Row> heldOut(long seed) {
        var plan = new Plan(seed, 1, 1);
        return SUBJECTS.stream().flatMap(subject -> plan.heldOut(subject).stream()).toList();
    }

    /**
     * A picture that none of the plan's needs to be; {@code object} null for the art's own colours.
     */
    public static BufferedImage picture(String emoji, Colour object, Colour background) {
        for (Subject subject : SUBJECTS) {
            if (subject.emoji().character().equals(emoji)) {
                boolean own = object == null || object == subject.colour();
                Art art = own ? subject.natural().art() : subject.recoloured().get(object).art();
                return art.onto(background.rgb(), DataCommand.SIDE, 0.87, 0.01, -0.01);
            }
        }
        throw new AssertionError(emoji);
    }
}
