package dev.darkroom.models.family;

import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.common.OneLine;
import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.runtime.Warnings;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;

/**
 * A checkpoint's scheduler, and the samplers that can take its place.
 *
 * @param file the {@code scheduler_config.json}
 * @param config its content, with the class that the scheduler is made as
 * @param own the scheduler that the config describes
 */
public record SamplerChoice(Path file, ObjectNode config, Scheduler own) {
    private static final String CLASS_NAME = "_class_name";

    /** The name of the part. */
    private static final String PART = "scheduler";

    private static final String CONFIG = "scheduler_config.json";

    /**
     * Reads the part {@value #PART}. Where {@code model_index.json} names another class than the
     * scheduler's file, there is a warning and the class of the index is made of the file's
     * options, as diffusers does.
     *
     * @throws CheckpointException if the classes differ and the checkpoint is loaded strictly
     * @throws IOException if the file can't be read or is not supported
     */
    public static SamplerChoice read(Checkpoint checkpoint) throws IOException {
        return read(checkpoint, PART);
    }

    /**
     * Reads a scheduler of a checkpoint that has several, as {@link #read(Checkpoint)} does.
     *
     * @param part its name
     */
    public static SamplerChoice read(Checkpoint checkpoint, String part) throws IOException {
        String className = checkpoint.requirePart(part);
        Warnings warnings = checkpoint.warnings();
        Path file = checkpoint.file(part, CONFIG);
        SamplerChoice described = read(file, checkpoint.config(part, CONFIG), warnings);
        if (described.className().equals(className)) {
            return described;
        }
        String difference =
                OneLine.of(
                        file
                                + " describes a "
                                + described.className()
                                + ", but "
                                + Checkpoint.INDEX
                                + " names the "
                                + part
                                + " "
                                + className);
        if (warnings.isStrict()) {
            throw new CheckpointException(difference + "; make them the same");
        }
        warnings.add(difference + ", which was made of its options");
        return read(file, described.config.deepCopy().put(CLASS_NAME, className), warnings);
    }

    /**
     * Reads a {@code scheduler_config.json}.
     *
     * @param warnings are told of unknown options
     */
    public static SamplerChoice read(Path file, Warnings warnings) throws IOException {
        return read(file, ConfigReader.object(file), warnings);
    }

    /**
     * Reads a scheduler's config that is not in a file of its own.
     *
     * @param file for messages
     * @param config as in a {@code scheduler_config.json}
     * @param warnings are told of unknown options
     */
    public static SamplerChoice read(Path file, ObjectNode config, Warnings warnings)
            throws IOException {
        return new SamplerChoice(
                file, config, ConfigReader.read(file, config, warnings, Scheduler::of));
    }

    /** The name of diffusers' class. */
    public String className() {
        return config.path(CLASS_NAME).asText();
    }

    /** What a request's sampler is called. */
    public String name(@Nullable String requested) {
        return requested == null ? className() : requested;
    }

    /** Whether the checkpoint is a consistency model, whatever sampler it is given. */
    public boolean isOfConsistency() {
        return className().equals("LCMScheduler");
    }

    /** The checkpoint's own scheduler, or another by its name. */
    public Scheduler named(@Nullable String requested) throws IOException {
        return requested == null
                ? own
                : Scheduler.read(file, config, requested, Warnings.collected()); // loading warned
    }
}
