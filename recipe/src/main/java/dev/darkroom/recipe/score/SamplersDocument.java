package dev.darkroom.recipe.score;

import dev.darkroom.models.diffusion.diffusers.Scheduler;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The text of the document about samplers: a template with tables.
 *
 * @param evaluations columns of the tables
 * @param points what was measured
 * @param refused what could not be sampled, and why
 */
record SamplersDocument(
        List<Integer> evaluations, List<SamplerPoint> points, Map<String, String> refused) {
    private static final String TEMPLATE = "samplers.md";

    /** The share of right pictures, and the distance above the least, that count as good. */
    private static final double GOOD = 0.975;

    private static final double NEAR = 0.02;

    /**
     * Fills the template in.
     *
     * @param values by their names in the template, beside the tables
     */
    String text(Map<String, String> values) throws IOException {
        String text = template();
        for (var value : values.entrySet()) {
            text = text.replace("{" + value.getKey() + "}", value.getValue());
        }
        double least = points.stream().mapToDouble(SamplerPoint::distance).min().orElse(0);
        int pictures = points.stream().mapToInt(SamplerPoint::pictures).max().orElse(1);
        return text.replace("{one}", String.format(Locale.ROOT, "%.1f", 100.0 / pictures))
                .replace("{least}", number(least))
                .replace("{table}", table())
                .replace("{fewest}", fewest(least + NEAR))
                .replace("{names}", names())
                .replace("{refused}", refusals());
    }

    private static String template() throws IOException {
        try (var in = SamplersDocument.class.getResourceAsStream(TEMPLATE)) {
            byte[] bytes = Objects.requireNonNull(in, TEMPLATE).readAllBytes();
            return new String(bytes, StandardCharsets.UTF_8);
        }
    }

    private List<String> samplers() {
        return points.stream().map(SamplerPoint::sampler).distinct().toList();
    }

    /** The sampler's point of a column: with no more evaluations, but more than the one before. */
    private Optional<SamplerPoint> point(String sampler, int most) {
        int less =
                evaluations.stream().filter(each -> each < most).mapToInt(i -> i).max().orElse(0);
        return points.stream()
                .filter(point -> point.sampler().equals(sampler))
                .filter(point -> point.evaluations() > less && point.evaluations() <= most)
                .max(Comparator.comparingInt(SamplerPoint::evaluations));
    }

    private String table() {
        var table = new StringBuilder("| sampler |");
        evaluations.forEach(each -> table.append(' ').append(each).append(" |"));
        table.append("\n|---|").append("---|".repeat(evaluations.size()));
        for (String sampler : samplers()) {
            table.append("\n| `").append(sampler).append("` |");
            for (int most : evaluations) {
                table.append(' ').append(point(sampler, most).map(this::cell).orElse("–"));
                table.append(" |");
            }
        }
        return table.toString();
    }

    private String cell(SamplerPoint point) {
        boolean whole = evaluations.contains(point.evaluations());
        String taken = whole ? "" : " (" + point.evaluations() + ")";
        return String.format(
                Locale.ROOT,
                "%s %%, %s, %.2f%s",
                percent(point.right()),
                number(point.distance()),
                point.sharpness(),
                taken);
    }

    private static String percent(double share) {
        return String.format(Locale.ROOT, share == 1 ? "%.0f" : "%.1f", 100 * share);
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.3f", value);
    }

    /** After how many evaluations samplers are as good as any, the quickest first. */
    private String fewest(double distance) {
        var lines = new ArrayList<String>();
        for (int most : evaluations) {
            String there =
                    samplers().stream()
                            .filter(sampler -> first(sampler, distance) == most)
                            .map(sampler -> "`" + sampler + "`")
                            .collect(Collectors.joining(", "));
            if (!there.isEmpty()) {
                lines.add("| " + most + " | " + there + " |");
            }
        }
        String never =
                samplers().stream()
                        .filter(sampler -> first(sampler, distance) == Integer.MAX_VALUE)
                        .map(sampler -> "`" + sampler + "`")
                        .collect(Collectors.joining(", "));
        if (!never.isEmpty()) {
            lines.add("| more | " + never + " |");
        }
        return String.join("\n", lines);
    }

    /** The first column from which on a sampler is good. */
    private int first(String sampler, double distance) {
        int first = Integer.MAX_VALUE;
        for (int most : evaluations.reversed()) {
            Optional<SamplerPoint> point = point(sampler, most);
            if (point.isEmpty()
                    || point.get().right() < GOOD
                    || point.get().distance() > distance) {
                return first;
            }
            first = most;
        }
        return first;
    }

    private String names() {
        return Scheduler.names().stream()
                .map(name -> "| `" + name + "` | " + Scheduler.description(name) + " |")
                .collect(Collectors.joining("\n"));
    }

    private String refusals() {
        return refused.entrySet().stream()
                .sorted(Map.Entry.comparingByKey())
                .map(each -> "| `" + each.getKey() + "` | " + reason(each.getValue()) + " |")
                .collect(Collectors.joining("\n"));
    }

    /** A message without the file that it begins with, whose folder is the machine's. */
    private static String reason(String message) {
        return message.replaceFirst("^\\S*scheduler_config[.]json: ", "")
                .replace('\n', ' ')
                .replace("|", "\\|");
    }
}
