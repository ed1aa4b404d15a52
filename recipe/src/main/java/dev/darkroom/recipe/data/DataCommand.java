package dev.darkroom.recipe.data;

import dev.darkroom.recipe.data.Plan.Shot;
import dev.darkroom.recipe.font.ColorFont;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

import javax.imageio.ImageIO;

/** Makes the folder of training pictures. */
@Command(
        name = "data",
        description = "Makes the training pictures and their captions.",
        mixinStandardHelpOptions = true)
public final class DataCommand implements Callable<Integer> {
    /** Side of a picture in pixels. */
    public static final int SIDE = 128;

    @Spec private CommandSpec spec;

    @Option(
            names = "--font",
            required = true,
            paramLabel = "FILE",
            description = "NotoColorEmoji.ttf, the one with bitmaps (CBDT).")
    private Path font = Path.of("");

    @Option(
            names = "--names",
            required = true,
            paramLabel = "FILE",
            description = "en/data.json of emojibase-data.")
    private Path names = Path.of("");

    @Option(
            names = "--out",
            required = true,
            paramLabel = "FOLDER",
            description = "A folder that does not exist yet, or is empty.")
    private Path out = Path.of("");

    @Option(names = "--seed", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private long seed = 7;

    @Option(
            names = "--variants",
            paramLabel = "N",
            description = "Pictures of each emoji in its own colours. Default: ${DEFAULT-VALUE}.")
    private int variants = 32;

    @Option(
            names = "--recoloured",
            paramLabel = "N",
            description =
                    "Pictures of each emoji in other colours, where that works. Default:"
                            + " ${DEFAULT-VALUE}.")
    private int recoloured = 24;

    @Option(names = "--threads", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int threads = 2;

    /** What was made of one emoji. */
    private record Made(List<Row> pictures, List<Row> heldOut) {}

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (variants < 1 || recoloured < 0 || threads < 1) {
            throw new ParameterException(
                    spec.commandLine(), "numbers of pictures and threads are 1 or more");
        }
        requireEmpty(out);
        ImageIO.setUseCache(false); // in memory it is quicker
        ColorFont art = ColorFont.read(font);
        List<Emoji> emoji = EmojiSet.named(names);
        Files.createDirectories(out);
        List<Row> pictures = new ArrayList<>();
        List<Row> heldOut = new ArrayList<>();
        for (Made made : make(emoji, art)) {
            pictures.addAll(made.pictures);
            heldOut.addAll(made.heldOut);
        }
        Row.write(out.resolve(Row.HELD_OUT), heldOut);
        Row.write(out.resolve(Row.METADATA), pictures);
        report(emoji.size(), pictures, heldOut);
        return 0;
    }

    private static void requireEmpty(Path folder) throws IOException {
        if (Files.exists(folder)) {
            try (var files = Files.list(folder)) {
                if (files.findAny().isPresent()) {
                    throw new IOException(folder + " is not empty");
                }
            }
        }
    }

    private List<Made> make(List<Emoji> emoji, ColorFont art)
            throws IOException, InterruptedException {
        var plan = new Plan(seed, variants, recoloured);
        try (var workers = Executors.newFixedThreadPool(threads)) {
            List<Future<Made>> running = new ArrayList<>();
            for (Emoji each : emoji) {
                running.add(workers.submit(() -> make(plan, each, art)));
            }
            List<Made> made = new ArrayList<>();
            for (Future<Made> each : running) {
                made.add(each.get());
            }
            return made;
        } catch (ExecutionException e) {
            throw new IOException(e.getCause());
        }
    }

    private Made make(Plan plan, Emoji emoji, ColorFont art) throws IOException {
        var picture = art.picture(emoji.codePoint());
        if (picture == null) {
            throw new IOException(font + " has no picture of " + emoji.character());
        }
        Subject subject = Subject.of(emoji, Art.of(picture));
        List<Row> rows = new ArrayList<>();
        for (Shot shot : plan.shots(subject)) {
            Row row = shot.row();
            var made =
                    shot.art()
                            .onto(row.background().rgb(), SIDE, shot.scale(), shot.dx(), shot.dy());
            ImageIO.write(made, "png", out.resolve(String.valueOf(row.file())).toFile());
            rows.add(row);
        }
        return new Made(rows, plan.heldOut(subject));
    }

    private void report(int emoji, List<Row> pictures, List<Row> heldOut) {
        long changed = pictures.stream().filter(Row::recoloured).count();
        long subjects =
                pictures.stream().filter(Row::recoloured).map(Row::emoji).distinct().count();
        long triples = heldOut.stream().filter(Row::recoloured).count();
        spec.commandLine()
                .getOut()
                .printf(
                        Locale.ROOT,
                        "%d emoji, %d of them in other colours too; %d pictures, %d recoloured;"
                                + " held out: %d pairs, %d triples%n",
                        emoji,
                        subjects,
                        pictures.size(),
                        changed,
                        heldOut.size() - triples,
                        triples);
    }
}
