package dev.darkroom.cli;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.common.ByteSize;
import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.checkpoint.WeightFormat;
import dev.darkroom.models.plan.Choice;
import dev.darkroom.models.plan.Part;
import dev.darkroom.models.plan.Plan;
import dev.darkroom.models.plan.Run;
import dev.darkroom.models.plan.Stage;
import dev.darkroom.models.plan.Variant;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.stream.Collectors;

/** Prints a plan. */
final class PlanReport {
    private PlanReport() {}

    // ---- For people ----

    static void text(Plan plan, PrintWriter out) {
        out.printf(
                Locale.ROOT,
                "%s: %s, %s%n%n",
                plan.model(),
                plan.pipeline().isEmpty() ? "no pipeline" : plan.pipeline(),
                plan.family() == null
                        ? "which no family reads yet"
                        : "of the family " + plan.family());
        parts(plan, out);
        Run run = plan.run();
        if (run == null) {
            return;
        }
        out.printf(
                Locale.ROOT,
                "%n%d %s of %s%s in %s, %d steps, guidance %s%n",
                run.batch(),
                run.batch() == 1 ? "picture" : "pictures",
                run.size(),
                run.sampled().equals(run.size()) ? "" : " (sampled as " + run.sampled() + ")",
                run.variant().dtype(),
                run.steps(),
                run.guidanceScale());
        for (Stage stage : run.stages()) {
            out.printf(
                    Locale.ROOT,
                    "  %-22s %10s%s%n",
                    title(stage),
                    ByteSize.format(stage.peakBytes()),
                    time(stage, run));
        }
        out.printf(
                Locale.ROOT,
                "  %-22s %10s  %s%n",
                "peak, time in all",
                ByteSize.format(run.peakBytes()),
                seconds(run.seconds()));
        out.printf(
                Locale.ROOT,
                "%nIt %s: %s are available here (%s).%n",
                plan.fits() ? "fits" : "does not fit",
                ByteSize.format(plan.availableBytes()),
                plan.budget().source());
        for (Choice choice : plan.choices()) {
            out.printf(
                    Locale.ROOT,
                    "  %-64s %10s  %s%n",
                    arguments(choice),
                    ByteSize.format(choice.neededBytes()),
                    choice.fits() ? "fits" : "does not fit");
        }
    }

    private static void parts(Plan plan, PrintWriter out) {
        String row = "%-16s %-28s %12s %10s  %s%n";
        out.printf(Locale.ROOT, row, "part", "class", "parameters", "bytes", "types");
        for (Part part : plan.parts()) {
            out.printf(
                    Locale.ROOT,
                    row,
                    part.name(),
                    part.className(),
                    count(part.parameters()),
                    ByteSize.format(part.bytes()),
                    types(part));
        }
        if (plan.parts().size() > 1) {
            out.printf(
                    Locale.ROOT,
                    row,
                    "all",
                    "",
                    count(plan.parts().stream().mapToLong(Part::parameters).sum()),
                    ByteSize.format(plan.parts().stream().mapToLong(Part::bytes).sum()),
                    "");
        }
    }

    private static String types(Part part) {
        return part.bytesByType().keySet().stream()
                .map(String::valueOf)
                .collect(Collectors.joining(", "));
    }

    /** Parameters as people say them, such as {@code 610.9 M}. */
    private static String count(long parameters) {
        String[] units = {"", " K", " M", " B", " T"};
        double shown = parameters;
        int unit = 0;
        while (shown >= 1000 && unit < units.length - 1) {
            shown /= 1000;
            unit++;
        }
        return unit == 0
                ? Long.toString(parameters)
                : String.format(Locale.ROOT, "%.2f%s", shown, units[unit]);
    }

    private static String title(Stage stage) {
        return switch (stage.kind()) {
            case LOAD -> "load " + stage.part();
            case ENCODE -> "encode";
            case DENOISE -> "denoise";
            case DECODE -> "decode";
        };
    }

    private static String time(Stage stage, Run run) {
        return switch (stage.kind()) {
            case LOAD -> "";
            case DENOISE ->
                    "  "
                            + seconds(stage.seconds())
                            + ", "
                            + seconds(run.secondsPerStep())
                            + " a step";
            case ENCODE, DECODE -> "  " + seconds(stage.seconds());
        };
    }

    private static String seconds(double seconds) {
        if (seconds >= 120) {
            return String.format(Locale.ROOT, "%.0f min", seconds / 60);
        }
        return seconds < 0.01
                ? "less than 0.01 s"
                : String.format(Locale.ROOT, seconds < 10 ? "%.2f s" : "%.0f s", seconds);
    }

    private static String arguments(Choice choice) {
        Variant variant = choice.variant();
        return "--dtype "
                + variant.dtype()
                + (variant.offload() == Offload.ON ? " --offload on" : "")
                + (variant.tiling() == Tiling.ON ? " --vae-tiling on" : "")
                + (variant.weights() == WeightFormat.COMPUTED
                        ? ""
                        : " --weights " + lower(variant.weights()));
    }

    private static String lower(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }

    // ---- For programs ----

    static void json(Plan plan, PrintWriter out) throws IOException {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("model", plan.model());
        json.put("pipeline", plan.pipeline());
        json.put("family", plan.family());
        var parts = json.putArray("parts");
        for (Part part : plan.parts()) {
            ObjectNode each = parts.addObject();
            each.put("name", part.name());
            each.put("class", part.className());
            each.put("parameters", part.parameters());
            each.put("bytes", part.bytes());
            ObjectNode types = each.putObject("bytes_by_dtype");
            part.bytesByType().forEach((type, bytes) -> types.put(type.name(), bytes));
        }
        json.put("available_bytes", plan.availableBytes());
        Run run = plan.run();
        if (run != null) {
            json.put("fits", plan.fits());
            ObjectNode asked = json.putObject("run");
            asked.put("dtype", run.variant().dtype().toString());
            asked.put("width", run.size().width());
            asked.put("height", run.size().height());
            asked.put("sampled_width", run.sampled().width());
            asked.put("sampled_height", run.sampled().height());
            asked.put("batch", run.batch());
            asked.put("steps", run.steps());
            asked.put("evaluations", run.evaluations());
            asked.put("guidance_scale", run.guidanceScale());
            asked.put("needed_bytes", run.neededBytes());
            asked.put("peak_bytes", run.peakBytes());
            asked.put("seconds", run.seconds());
            asked.put("seconds_per_step", run.secondsPerStep());
            var stages = asked.putArray("stages");
            for (Stage stage : run.stages()) {
                ObjectNode each = stages.addObject();
                each.put("stage", lower(stage.kind()));
                if (stage.part() != null) {
                    each.put("part", stage.part());
                }
                each.put("needed_bytes", stage.neededBytes());
                each.put("peak_bytes", stage.peakBytes());
                each.put("seconds", stage.seconds());
            }
            var choices = json.putArray("choices");
            for (Choice choice : plan.choices()) {
                ObjectNode each = choices.addObject();
                Variant variant = choice.variant();
                each.put("dtype", variant.dtype().toString());
                each.put("offload", lower(variant.offload()));
                each.put("vae_tiling", lower(variant.tiling()));
                each.put("weights", lower(variant.weights()));
                each.put("needed_bytes", choice.neededBytes());
                each.put("fits", choice.fits());
            }
        }
        out.println(new JsonMapper().writerWithDefaultPrettyPrinter().writeValueAsString(json));
    }
}
