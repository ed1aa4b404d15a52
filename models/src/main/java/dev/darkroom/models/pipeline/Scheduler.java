package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.SamplerSpec;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A checkpoint's scheduler, and the samplers that can take its place.
 *
 * @param config the file
 * @param className the class that {@code model_index.json} names
 * @param own the sampler that the config describes
 */
record Scheduler(Path config, String className, SamplerSpec own) {
    private static final int CONSISTENCY_STEPS = 4;

    static Scheduler read(Checkpoint checkpoint) throws IOException {
        String className = checkpoint.requirePart("scheduler");
        Path config = checkpoint.file("scheduler", "scheduler_config.json");
        return new Scheduler(config, className, SamplerSpec.read(config));
    }

    /** What a request's sampler is called. */
    String name(@Nullable String requested) {
        return requested == null ? className : requested;
    }

    /**
     * A request's steps; if it leaves them open, the pipeline's, or few for a consistency model.
     */
    int steps(SampleRequest request, int missing) {
        Integer asked = request.steps();
        return asked != null ? asked : isConsistency(request) ? CONSISTENCY_STEPS : missing;
    }

    /**
     * A request's guidance; if it leaves it open, the pipeline's, or none for a consistency model
     * that is not told it.
     */
    double guidanceScale(SampleRequest request, double missing, boolean isTold) {
        Double asked = request.guidanceScale();
        return asked != null ? asked : isConsistency(request) && !isTold ? 1 : missing;
    }

    private boolean isConsistency(SampleRequest request) {
        String name = name(request.sampler());
        return name.equals("LCMScheduler") || name.equals("lcm");
    }

    /** The checkpoint's own sampler, or another by its name. */
    SamplerSpec spec(@Nullable String requested) throws IOException {
        return requested == null ? own : SamplerSpec.read(config, requested);
    }
}
