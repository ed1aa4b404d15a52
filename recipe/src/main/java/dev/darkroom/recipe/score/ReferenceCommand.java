package dev.darkroom.recipe.score;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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

    @Mixin private final CaptionsOption captions = new CaptionsOption();

    @Option(
            names = "--out",
            required = true,
            paramLabel = "FOLDER",
            description = "Takes " + EMOJI + " and " + CAPTIONS + ".")
    private Path out = Path.of("");

    @Option(names = "--threads", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int threads = 2;

    @Override
    public Integer call() throws IOException, InterruptedException {
        Files.createDirectories(out);
        Scorer scorer = Scorer.read(captions.data(), threads);
        Prompts.write(out.resolve(CAPTIONS), captions.draw(Prompts.SHORT, scorer.rows()));
        try (var file = Files.newOutputStream(out.resolve(EMOJI))) {
            scorer.writeAverages(file);
        }
        return 0;
    }
}
