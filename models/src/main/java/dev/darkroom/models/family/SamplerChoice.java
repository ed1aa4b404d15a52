package dev.darkroom.models.family;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.runtime.Warnings;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A checkpoint's scheduler, and the samplers that can take its place.
 *
 * @param config the file
 * @param className diffusers' class
 * @param own the scheduler that the config describes
 */
public record SamplerChoice(Path config, String className, Scheduler own) {
    /** Reads the part {@code scheduler}. */
    public static SamplerChoice read(Checkpoint checkpoint) throws IOException {
        String className = checkpoint.requirePart("scheduler");
        Path config = checkpoint.file("scheduler", "scheduler_config.json");
        return new SamplerChoice(config, className, Scheduler.read(config, checkpoint.warnings()));
    }

    /**
     * Reads a {@code scheduler_config.json}.
     *
     * @param warnings are told of unknown options
     */
    public static SamplerChoice read(Path config, Warnings warnings) throws IOException {
        String className = ConfigReader.object(config).path("_class_name").asText();
        return new SamplerChoice(config, className, Scheduler.read(config, warnings));
    }

    /** What a request's sampler is called. */
    public String name(@Nullable String requested) {
        return requested == null ? className : requested;
    }

    /** Whether the checkpoint is a consistency model, whatever sampler it is given. */
    public boolean isOfConsistency() {
        return className.equals("LCMScheduler");
    }

    /** The checkpoint's own scheduler, or another by its name. */
    public Scheduler named(@Nullable String requested) throws IOException {
        return requested == null
                ? own
                : Scheduler.read(config, requested, Warnings.collected()); // loading warned
    }
}
