package dev.darkroom.recipe.data;

import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;

import javax.imageio.ImageIO;

/** Shows a sample of the training pictures. */
@Command(
        name = "sheet",
        description = "Draws a sample of the training pictures with their captions.",
        mixinStandardHelpOptions = true)
public final class SheetCommand implements Callable<Integer> {
    @Option(
            names = "--data",
            required = true,
            paramLabel = "FOLDER",
            description = "What the command data made.")
    private Path data = Path.of("");

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "A .png.")
    private Path out = Path.of("");

    @Option(names = "--count", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int count = 96;

    @Option(names = "--columns", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int columns = 12;

    @Option(names = "--seed", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private long seed = 1;

    @Override
    public Integer call() throws IOException {
        List<Row> rows = new ArrayList<>(Row.read(data.resolve(Row.METADATA)));
        Collections.shuffle(rows, new Random(seed));
        List<Sheet.Entry> entries = new ArrayList<>();
        for (Row row : rows.subList(0, Math.min(count, rows.size()))) {
            var picture = ImageIO.read(data.resolve(String.valueOf(row.file())).toFile());
            entries.add(new Sheet.Entry(picture, row.text()));
        }
        ImageIO.write(Sheet.draw(entries, columns), "png", out.toFile());
        return 0;
    }
}
