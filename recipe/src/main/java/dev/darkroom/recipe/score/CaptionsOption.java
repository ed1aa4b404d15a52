package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Row;

import picocli.CommandLine.Option;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Which training pictures, and which captions are drawn from them. */
final class CaptionsOption {
    @Option(
            names = "--data",
            required = true,
            paramLabel = "FOLDER",
            description = "The training pictures.")
    private Path data = Path.of("");

    @Option(
            names = "--captions-seed",
            paramLabel = "N",
            description = "Decides the captions. Default: ${DEFAULT-VALUE}.")
    private long seed = 2026;

    /** The folder of the training pictures. */
    Path data() {
        return data;
    }

    /** Returns the seed that decides the captions. */
    long seed() {
        return seed;
    }

    /**
     * Draws captions.
     *
     * @param rows of the training pictures
     */
    List<Prompt> draw(Prompts kinds, List<Row> rows) throws IOException {
        return kinds.draw(rows, Row.read(data.resolve(Row.HELD_OUT)), seed);
    }
}
