package dev.darkroom.models.plan;

import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.MemoryBudget;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Puts a plan together from rehearsals with different options. */
final class Planner {
    private final Path folder;
    private final Family family;
    private final PipelineOptions options;
    private final SampleRequest request;
    private final Map<String, Part> parts = new LinkedHashMap<>();
    private final MemoryBudget budget;

    /** The memory of this process, with libtorch and all that a run needs. */
    private long process;

    Planner(
            Path folder,
            Family family,
            PipelineOptions options,
            SampleRequest request,
            List<Part> parts,
            MemoryBudget budget) {
        this.folder = folder;
        this.family = family;
        this.options = options;
        this.request = request;
        this.budget = budget;
        parts.forEach(part -> this.parts.put(part.name(), part));
    }

    Plan plan(String name, String pipeline) throws IOException {
        Tiling own = options.tiling() == Tiling.ON ? Tiling.ON : Tiling.OFF;
        Rehearsal asked = rehearse(options.dtype(), own);
        process = ProcessMemory.residentBytes();
        long available = budget.available() + process;
        if (options.tiling() == Tiling.AUTO && peak(asked) > available) {
            asked = rehearse(options.dtype(), Tiling.ON);
            own = Tiling.ON;
        }
        List<Choice> choices = new ArrayList<>();
        for (DType dtype : types()) {
            for (Tiling tiling : new LinkedHashSet<>(Arrays.asList(own, Tiling.ON))) {
                long peak =
                        dtype == options.dtype() && tiling == own
                                ? peak(asked)
                                : peak(rehearse(dtype, tiling));
                choices.add(new Choice(dtype, tiling, peak, peak <= available));
            }
        }
        Map<String, Object> used = asked.used();
        return new Plan(
                name,
                pipeline,
                family.getClass().getSimpleName(),
                List.copyOf(parts.values()),
                new Run(
                        size(used, "width", "height"),
                        size(used, "sampledWidth", "sampledHeight"),
                        number(used, "batch").intValue(),
                        number(used, "steps").intValue(),
                        asked.evaluations(),
                        number(used, "guidanceScale").doubleValue(),
                        stages(asked, new Timing())),
                choices,
                budget,
                process);
    }

    /** The type that was asked for, and the smaller one that is as wide. */
    private Set<DType> types() {
        Set<DType> types = new LinkedHashSet<>(List.of(options.dtype()));
        if (options.dtype().bytes() > DType.BFLOAT16.bytes()) {
            types.add(DType.BFLOAT16);
        }
        return types;
    }

    private Rehearsal rehearse(DType dtype, Tiling tiling) throws IOException {
        return Rehearsal.of(folder, family, options, dtype, tiling, request);
    }

    private static Number number(Map<String, Object> used, String name) {
        return (Number) used.get(name);
    }

    private static Size size(Map<String, Object> used, String width, String height) {
        return new Size(number(used, height).intValue(), number(used, width).intValue());
    }

    private long peak(Rehearsal run) {
        return stages(run, null).stream().mapToLong(Stage::peakBytes).max().orElse(0);
    }

    /**
     * Loading a part takes what is there already and the part, and its file as it is stored where
     * it is cast; then all parts are there.
     */
    private List<Stage> stages(Rehearsal run, @Nullable Timing timing) {
        List<Stage> stages = new ArrayList<>();
        long there = process;
        for (var loaded : run.parts().entrySet()) {
            there += loaded.getValue();
            Part part = parts.get(loaded.getKey());
            long cast = part == null || part.isStoredAs(run.dtype()) ? 0 : part.bytes();
            stages.add(new Stage(Stage.Kind.LOAD, loaded.getKey(), there + cast, 0));
        }
        for (var counted : run.stages().entrySet()) {
            Rehearsal.Counted count = counted.getValue();
            stages.add(
                    new Stage(
                            counted.getKey(),
                            null,
                            there + count.peak(),
                            timing == null
                                    ? 0
                                    : timing.seconds(count.products(), count.made(), run.dtype())));
        }
        return stages;
    }
}
