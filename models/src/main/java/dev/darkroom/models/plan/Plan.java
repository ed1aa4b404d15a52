package dev.darkroom.models.plan;

import dev.darkroom.hub.CheckpointFiles;
import dev.darkroom.hub.Hub;
import dev.darkroom.hub.ModelId;
import dev.darkroom.models.checkpoint.LoadOptions;
import dev.darkroom.models.family.Family;
import dev.darkroom.models.pipeline.Families;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.MemoryBudget;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;

/**
 * What a checkpoint takes on this machine, without its weights: from its configs and the headers of
 * its files. The memory of each stage is that of the pipeline itself, which runs with shapes alone
 * ({@link dev.darkroom.runtime.DryRun}), so that it holds for every family; the time comes from
 * products of the same shapes that are measured here. Both are estimates.
 *
 * <pre>{@code
 * var plan = Plan.of(folder, PipelineOptions.defaults(), SampleRequest.builder().width(1024).build());
 * boolean fits = plan.fits();
 * }</pre>
 *
 * @param model what was planned, for display
 * @param pipeline the class in {@code model_index.json}
 * @param family the family that reads it; null if none does, then there is no run and no choice
 * @param parts that have weights
 * @param run what the request takes with the options; null without a family
 * @param choices what other options take, from what changes least to what takes least
 * @param budget the memory that is available beside what this process has now
 * @param processBytes the memory that this process has now
 */
public record Plan(
        String model,
        String pipeline,
        @Nullable String family,
        List<Part> parts,
        @Nullable Run run,
        List<Choice> choices,
        MemoryBudget budget,
        long processBytes) {
    /** Keeps the lists as they are now. */
    public Plan {
        parts = List.copyOf(parts);
        choices = List.copyOf(choices);
    }

    /** Plans for one of the families that Darkroom comes with. */
    public static Plan of(Path folder, PipelineOptions options, SampleRequest request)
            throws IOException {
        return of(folder, options, request, Families.BUILT_IN);
    }

    /**
     * Plans for a checkpoint of this machine. Headers are read, and about three seconds are spent
     * on measuring.
     *
     * @param folder that holds {@code model_index.json}, or a single file
     * @param request a prompt or a class may be left out
     * @throws IOException if it is no checkpoint, or one whose parts are missing or malformed
     * @throws dev.darkroom.models.pipeline.PipelineException if the request does not fit the
     *     checkpoint
     */
    public static Plan of(
            Path folder, PipelineOptions options, SampleRequest request, Families families)
            throws IOException {
        Path name = folder.toAbsolutePath().normalize().getFileName();
        return of(String.valueOf(name), folder, options, request, families);
    }

    private static Plan of(
            String name,
            Path folder,
            PipelineOptions options,
            SampleRequest request,
            Families families)
            throws IOException {
        Objects.requireNonNull(request, "request");
        Objects.requireNonNull(families, "families");
        var loading =
                new LoadOptions(
                        options.dtype(),
                        options.vaeDtype(),
                        Device.META,
                        options.mapped(),
                        options.variant(),
                        options.strict(),
                        options.tiling());
        var source = Source.of(folder, loading, families);
        var budget = MemoryBudget.current();
        Family family = source.family();
        if (family == null) {
            return new Plan(
                    name,
                    source.pipeline(),
                    null,
                    source.parts(),
                    null,
                    List.of(),
                    budget,
                    ProcessMemory.residentBytes());
        }
        return new Planner(source, family, options, request, budget).plan(name);
    }

    /**
     * Plans for a checkpoint of a hub: as it is in the cache, if all of it is there. Else configs
     * and tokenizers are downloaded, and of the weights the headers are read.
     *
     * @throws IOException if it can't be had, or is no checkpoint
     * @throws InterruptedException if the thread is interrupted
     * @throws dev.darkroom.models.pipeline.PipelineException if the request does not fit the
     *     checkpoint
     */
    public static Plan of(Hub hub, ModelId id, PipelineOptions options, SampleRequest request)
            throws IOException, InterruptedException {
        Objects.requireNonNull(options, "options");
        PipelineOptions chosen = id.variant() == null ? options : options.withVariant(id.variant());
        var cached = hub.cache().find(id, CheckpointFiles.of(id));
        if (cached.isPresent()) {
            return of(id.toString(), cached.get().folder(), chosen, request, Families.BUILT_IN);
        }
        try (var outline = Outline.of(hub, id)) {
            return of(id.toString(), outline.folder(), chosen, request, Families.BUILT_IN);
        }
    }

    /** Whether the request is estimated to fit here now, with the options as they are. */
    public boolean fits() {
        return run != null && run.neededBytes() <= availableBytes();
    }

    /** The memory that a process like this one can have: what it has now, and what is available. */
    public long availableBytes() {
        long sum = budget.available() + processBytes;
        return sum < 0 ? Long.MAX_VALUE : sum;
    }
}
