package dev.darkroom.recipe.score;

import dev.darkroom.recipe.data.Row;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.Callable;

/** Scores real pictures that the scorer has not seen. */
@Command(
        name = "check-scorer",
        description = "Scores real pictures of another seed, degraded, by the training pictures.",
        mixinStandardHelpOptions = true)
public final class CheckCommand implements Callable<Integer> {
    private static final int MISTAKES = 25;

    @Spec private CommandSpec spec;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "FOLDER",
            description = "The training pictures.")
    private Path data = Path.of("");

    @Option(
            names = "--other",
            required = true,
            paramLabel = "FOLDER",
            description = "What the command data made with another seed.")
    private Path other = Path.of("");

    @Option(names = "--count", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int count = 3000;

    @Option(names = "--seed", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private long seed = 11;

    @Option(names = "--threads", paramLabel = "N", description = "Default: ${DEFAULT-VALUE}.")
    private int threads = 2;

    @Override
    public Integer call() throws IOException, InterruptedException {
        Scorer scorer = Scorer.read(data, threads);
        List<Row> rows = new ArrayList<>(Row.read(other.resolve(Row.METADATA)));
        Collections.shuffle(rows, new Random(seed));
        rows = rows.subList(0, Math.min(count, rows.size()));
        List<Verdict> verdicts = new ArrayList<>();
        var random = new Random(seed);
        for (Row row : rows) {
            var picture = Degradation.MILD.of(Scorer.picture(other, row), random);
            verdicts.add(scorer.judge(picture));
        }
        List<Row> shuffled = new ArrayList<>(rows);
        Collections.shuffle(shuffled, random);
        Tally right = Tally.of(rows, verdicts);
        Tally chance = Tally.of(shuffled, verdicts);
        var out = spec.commandLine().getOut();
        out.printf(
                Locale.ROOT,
                "%d pictures: emoji %.2f %%, background %.2f %%, object's colour %.2f %% (%d)%n",
                rows.size(),
                100 * right.emoji(),
                100 * right.background(),
                100 * right.object(),
                right.objects());
        out.printf(
                Locale.ROOT,
                "captions shuffled: emoji %.2f %%, background %.2f %%, object's colour %.2f %%%n",
                100 * chance.emoji(),
                100 * chance.background(),
                100 * chance.object());
        out.printf(
                Locale.ROOT,
                "nearest training picture: %.1f levels of 255 apart (median)%n",
                verdicts.stream()
                        .mapToDouble(Verdict::copied)
                        .sorted()
                        .skip(rows.size() / 2)
                        .findFirst()
                        .orElse(0));
        Tally.mistakes(rows, verdicts).stream().limit(MISTAKES).forEach(out::println);
        return 0;
    }
}
