package dev.darkroom.recipe.score;

import dev.darkroom.recipe.score.Report.Judged;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;

/**
 * What a sampler's pictures are worth after some evaluations of the network.
 *
 * @param sampler its name
 * @param steps that it took
 * @param evaluations of the guided network
 * @param pictures how many were judged
 * @param right the share of those with everything right that their captions say
 * @param distance the median of {@link Verdict#apart}
 * @param sharpness the median of {@link Verdict#sharpness}
 */
record SamplerPoint(
        String sampler,
        int steps,
        int evaluations,
        int pictures,
        double right,
        double distance,
        double sharpness) {
    private static final String COMMENT = "# ";
    private static final String NAMES =
            "sampler\tsteps\tevaluations\tpictures\tright\tdistance\tsharpness";

    static SamplerPoint of(String sampler, int steps, int evaluations, List<Judged> judged) {
        return new SamplerPoint(
                sampler,
                steps,
                evaluations,
                judged.size(),
                rounded((double) judged.stream().filter(Judged::all).count() / judged.size()),
                median(judged, Verdict::apart),
                median(judged, Verdict::sharpness));
    }

    private static double median(List<Judged> judged, ToDoubleFunction<Verdict> value) {
        double[] sorted =
                judged.stream().map(Judged::verdict).mapToDouble(value).sorted().toArray();
        int half = sorted.length / 2;
        return rounded(
                sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2);
    }

    private static double rounded(double value) {
        return Math.rint(value * 1e4) / 1e4;
    }

    /**
     * Reads a table that {@link #write} wrote.
     *
     * @param settings of the measurement; points of other settings are not read
     * @return none if there is no such file
     */
    static List<SamplerPoint> read(Path file, String settings) throws IOException {
        List<SamplerPoint> points = new ArrayList<>();
        if (!Files.exists(file)) {
            return points;
        }
        List<String> lines = Files.readAllLines(file);
        if (lines.size() < 2 || !lines.getFirst().equals(COMMENT + settings)) {
            return points;
        }
        for (String line : lines.subList(2, lines.size())) {
            String[] cells = line.split("\t", -1);
            points.add(
                    new SamplerPoint(
                            cells[0],
                            Integer.parseInt(cells[1]),
                            Integer.parseInt(cells[2]),
                            Integer.parseInt(cells[3]),
                            Double.parseDouble(cells[4]),
                            Double.parseDouble(cells[5]),
                            Double.parseDouble(cells[6])));
        }
        return points;
    }

    /** Writes points as a table, a line for each. */
    static void write(Path file, String settings, List<SamplerPoint> points) throws IOException {
        var text = new StringBuilder(COMMENT).append(settings).append('\n');
        text.append(NAMES).append('\n');
        for (SamplerPoint each : points) {
            text.append(each.sampler).append('\t').append(each.steps).append('\t');
            text.append(each.evaluations).append('\t').append(each.pictures).append('\t');
            text.append(each.right).append('\t').append(each.distance).append('\t');
            text.append(each.sharpness).append('\n');
        }
        Files.writeString(file, text);
    }
}
