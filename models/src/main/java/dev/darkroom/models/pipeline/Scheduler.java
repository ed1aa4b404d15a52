package dev.darkroom.models.pipeline;

import dev.darkroom.models.diffusion.SamplerSpec;
import dev.darkroom.runtime.Warnings;

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
    static Scheduler read(Checkpoint checkpoint) throws IOException {
        String className = checkpoint.requirePart("scheduler");
        Path config = checkpoint.file("scheduler", "scheduler_config.json");
        return new Scheduler(config, className, SamplerSpec.read(config, checkpoint.warnings()));
    }

    /** What a request's sampler is called. */
    String name(@Nullable String requested) {
        return requested == null ? className : requested;
    }

    /** Whether the checkpoint is a consistency model, whatever sampler it is given. */
    boolean isOfConsistency() {
        return className.equals("LCMScheduler");
    }

    /** The checkpoint's own sampler, or another by its name. */
    SamplerSpec spec(@Nullable String requested) throws IOException {
        return requested == null
                ? own
                : SamplerSpec.read(config, requested, Warnings.collected()); // loading warned
    }
}
