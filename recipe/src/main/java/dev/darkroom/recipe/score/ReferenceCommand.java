package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Row;

import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;

/** Writes what the tests judge the embedded model by. */
@Command(
        name = "reference",
        description = "Writes what the tests judge the embedded model by, without the pictures.",
        mixinStandardHelpOptions = true)
public final class ReferenceCommand implements Callable<Integer> {
    /** The average features of every emoji. */
    static final String EMOJI = "emoji.gz";

    /** The short list of captions. */
    static final String CAPTIONS = "captions.tsv";

    @Option(
            names = "--data",
            required = true,
            paramLabel = "FOLDER",
            description = "The training pictures.")
    private Path data = Path.of("");

    @Option(
            names = "--out",
            required = true,
            paramLabel = "FOLDER",
            description = "Takes " + EMOJI + " and " + CAPTIONS + ".")
    private Path out = Path.of("");

    @Option(
            names = "--captions-seed",
            paramLabel = "N",
            description = "Decides the captions. Default: ${DEFAULT-VALUE}.")
    private long captionsSeed = 2026;

    @Option(names = "--threads", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int threads = 2;

    @Override
    public Integer call() throws IOException, InterruptedException {
        Files.createDirectories(out);
        Scorer scorer = Scorer.read(data, threads);
        List<Row> held = Row.read(data.resolve(Row.HELD_OUT));
        Prompts.write(out.resolve(CAPTIONS), Prompts.SHORT.draw(scorer.rows(), held, captionsSeed));
        try (var file = Files.newOutputStream(out.resolve(EMOJI))) {
            scorer.writeAverages(file);
        }
        return 0;
    }
}
