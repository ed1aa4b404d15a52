package dev.darkroom.models.plan;

import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.checkpoint.WeightFormat;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.MemoryBudget;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Puts a plan together from rehearsals with different options. */
final class Planner {
    /** A choice is worth telling if it takes less than this share of those before it. */
    private static final double LESS = 0.97;

    private final Source source;
    private final Family family;
    private final PipelineOptions options;
    private final SampleRequest request;
    private final Map<String, Part> parts = new LinkedHashMap<>();
    private final MemoryBudget budget;
    private final Map<Variant, Rehearsal> rehearsals = new HashMap<>();

    /** The memory of this process, with libtorch and all that a run needs. */
    private long process;

    Planner(
            Source source,
            Family family,
            PipelineOptions options,
            SampleRequest request,
            MemoryBudget budget) {
        this.source = source;
        this.family = family;
        this.options = options;
        this.request = request;
        this.budget = budget;
        source.parts().forEach(part -> parts.put(part.name(), part));
    }

    Plan plan(String name) throws IOException {
        var asked =
                new Variant(
                        options.dtype(),
                        options.tiling() == Tiling.ON ? Tiling.ON : Tiling.OFF,
                        options.offload() == Offload.ON ? Offload.ON : Offload.OFF,
                        options.weights() == WeightFormat.AUTO
                                ? WeightFormat.COMPUTED
                                : options.weights());
        Rehearsal run = rehearse(asked);
        process = ProcessMemory.residentBytes();
        Map<String, Object> used = run.used();
        var stages = stages(run, asked.offload(), new Timing());
        return new Plan(
                name,
                source.pipeline(),
                family.getClass().getSimpleName(),
                List.copyOf(parts.values()),
                new Run(
                        asked,
                        size(used, "width", "height"),
                        size(used, "sampledWidth", "sampledHeight"),
                        number(used, "batch").intValue(),
                        number(used, "steps").intValue(),
                        run.evaluations(),
                        number(used, "guidanceScale").doubleValue(),
                        stages),
                choices(asked),
                budget,
                process);
    }

    /** From what changes least to what takes least; each takes less than those before it. */
    private List<Choice> choices(Variant asked) throws IOException {
        List<Choice> choices = new ArrayList<>();
        long least = Long.MAX_VALUE;
        for (Variant variant : variants(asked)) {
            long needed =
                    stages(rehearse(variant), variant.offload(), null).stream()
                            .mapToLong(Stage::neededBytes)
                            .max()
                            .orElse(0);
            if (choices.isEmpty() || needed < LESS * least) {
                choices.add(new Choice(variant, needed, needed <= budget.available() + process));
                least = needed;
            }
        }
        return choices;
    }

    private Set<Variant> variants(Variant asked) {
        Set<Variant> variants = new LinkedHashSet<>();
        Set<DType> types = new LinkedHashSet<>(List.of(asked.dtype()));
        if (asked.dtype().bytes() > DType.BFLOAT16.bytes()) {
            types.add(DType.BFLOAT16);
        }
        Set<WeightFormat> formats = new LinkedHashSet<>(List.of(asked.weights()));
        formats.add(WeightFormat.STORED);
        formats.add(WeightFormat.INT8);
        for (WeightFormat format : formats) {
            for (DType type : types) {
                for (Offload offload : either(asked.offload(), Offload.ON)) {
                    for (Tiling tiling : either(asked.tiling(), Tiling.ON)) {
                        variants.add(new Variant(type, tiling, offload, format));
                    }
                }
            }
        }
        return variants;
    }

    private static <T> Set<T> either(T first, T second) {
        Set<T> both = new LinkedHashSet<>();
        both.add(first);
        both.add(second);
        return both;
    }

    private Rehearsal rehearse(Variant variant) throws IOException {
        var together =
                new Variant(variant.dtype(), variant.tiling(), Offload.OFF, variant.weights());
        Rehearsal known = rehearsals.get(together);
        if (known == null) {
            known = Rehearsal.of(source, family, options, together, request);
            rehearsals.put(together, known);
        }
        return known;
    }

    private static Number number(Map<String, Object> used, String name) {
        return (Number) Objects.requireNonNull(used.get(name), name);
    }

    private static Size size(Map<String, Object> used, String width, String height) {
        return new Size(number(used, height).intValue(), number(used, width).intValue());
    }

    /**
     * The stages of a run. Loading a part takes what is there already and the part, and its file as
     * it is stored where it is cast.
     *
     * @param offload on: in each stage only the parts are there that it uses
     * @param timing null for no times
     */
    private List<Stage> stages(Rehearsal run, Offload offload, @Nullable Timing timing) {
        boolean turns = offload == Offload.ON;
        List<Stage> stages = new ArrayList<>();
        long there = 0;
        for (var loaded : run.parts().entrySet()) {
            String name = loaded.getKey();
            long beside = turns && !isEncoder(name, run) ? 0 : there;
            long needed = process + beside + loaded.getValue();
            stages.add(new Stage(Stage.Kind.LOAD, name, needed, needed + castBytes(name, run), 0));
            there += loaded.getValue();
        }
        for (var counted : run.stages().entrySet()) {
            Rehearsal.Counted count = counted.getValue();
            long weights = turns ? bytes(counted.getKey(), run) : there;
            long needed = process + weights + count.peak();
            stages.add(
                    new Stage(
                            counted.getKey(),
                            null,
                            needed,
                            needed,
                            timing == null
                                    ? 0
                                    : timing.seconds(
                                            count.products(),
                                            count.made(),
                                            run.variant().dtype())));
        }
        return stages;
    }

    /** The bytes of a file that are read to make smaller or larger weights of them. */
    private long castBytes(String name, Rehearsal run) {
        Part part = parts.get(name);
        if (part == null) {
            return 0;
        }
        return switch (run.variant().weights()) {
            case AUTO, COMPUTED -> part.isStoredAs(run.variant().dtype()) ? 0 : part.bytes();
            case STORED -> 0;
            case INT8 -> part.bytes();
        };
    }

    private static boolean isEncoder(String name, Rehearsal run) {
        return !run.denoisers().contains(name) && !name.equals(run.decoder());
    }

    /** The bytes of the parts that a stage uses. */
    private static long bytes(Stage.Kind stage, Rehearsal run) {
        return run.parts().entrySet().stream()
                .filter(
                        part ->
                                switch (stage) {
                                    case LOAD, ENCODE -> isEncoder(part.getKey(), run);
                                    case DENOISE -> run.denoisers().contains(part.getKey());
                                    case DECODE -> part.getKey().equals(run.decoder());
                                })
                .mapToLong(Map.Entry::getValue)
                .sum();
    }
}
