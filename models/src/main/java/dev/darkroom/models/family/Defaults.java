package dev.darkroom.models.family;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.config.ConfigWriter;
import dev.darkroom.runtime.Warnings;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * How a checkpoint is sampled where a request leaves it open. A checkpoint says so in the file
 * {@value #FILE} beside {@code model_index.json}, which other programs do not look at; what that
 * leaves open comes from its family.
 *
 * @param steps number of sampling steps; null if nothing is said
 * @param guidanceScale weight of classifier-free guidance, 1 for none; null if nothing is said
 */
public record Defaults(@Nullable Integer steps, @Nullable Double guidanceScale) {
    /** The name of the file. */
    public static final String FILE = "darkroom.json";

    /** The keys in the file. */
    private static final String STEPS = "steps";

    private static final String GUIDANCE_SCALE = "guidance_scale";

    /** Says nothing. */
    public static final Defaults NONE = new Defaults(null, null);

    private static final int MAX_STEPS = 1000;

    /** Far beyond what gives a picture; with much more, the latents overflow. */
    private static final int MAX_GUIDANCE_SCALE = 1000;

    /**
     * Checks the numbers as a request's.
     *
     * @throws IllegalArgumentException if one is out of range
     */
    public Defaults {
        requireSteps(steps);
        requireGuidanceScale(guidanceScale);
    }

    /**
     * Reads what a checkpoint says.
     *
     * @param checkpoint the folder that holds {@code model_index.json}
     * @return {@link #NONE} if it has no such file
     * @throws ConfigException if the file is malformed or a number is out of range
     * @throws IOException if it can't be read
     */
    public static Defaults read(Path checkpoint) throws IOException {
        Path file = checkpoint.resolve(FILE);
        return Files.exists(file) ? ConfigReader.read(file, Defaults::of) : NONE;
    }

    /**
     * Reads what a single file says, which was a folder before.
     *
     * @return {@link #NONE} if it says nothing
     * @throws IOException if what it says is malformed or out of range
     */
    public static Defaults read(SingleFile checkpoint) throws IOException {
        String text = checkpoint.files().get(FILE);
        Path file = checkpoint.path().resolve(FILE);
        return text == null
                ? NONE
                : ConfigReader.read(
                        file, ConfigReader.object(file, text), Warnings.strict(), Defaults::of);
    }

    private static Defaults of(ConfigReader json) {
        return new Defaults(json.integerOrNull(STEPS), json.numberOrNull(GUIDANCE_SCALE));
    }

    /**
     * Writes the file of a checkpoint, or deletes it if nothing is said.
     *
     * @param checkpoint the folder that holds {@code model_index.json}
     */
    public void write(Path checkpoint) throws IOException {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        if (steps != null) {
            json.put(STEPS, steps);
        }
        if (guidanceScale != null) {
            json.put(GUIDANCE_SCALE, guidanceScale);
        }
        Path file = checkpoint.resolve(FILE);
        if (json.isEmpty()) {
            Files.deleteIfExists(file);
        } else {
            ConfigWriter.write(file, json);
        }
    }

    /**
     * Checks a number of steps.
     *
     * @throws IllegalArgumentException if it is out of range
     */
    public static void requireSteps(@Nullable Integer steps) {
        if (steps != null && (steps < 1 || steps > MAX_STEPS)) {
            throw new IllegalArgumentException(
                    "steps must be 1 to " + MAX_STEPS + ", not " + steps);
        }
    }

    /**
     * Checks a guidance scale.
     *
     * @throws IllegalArgumentException if it is out of range
     */
    public static void requireGuidanceScale(@Nullable Double scale) {
        if (scale != null && !(scale >= 0 && scale <= MAX_GUIDANCE_SCALE)) {
            throw new IllegalArgumentException(
                    "the guidance scale must be 0 to " + MAX_GUIDANCE_SCALE + ", not " + scale);
        }
    }

    /** These, and where they say nothing, others. */
    public Defaults orElse(Defaults others) {
        return new Defaults(
                steps == null ? others.steps : steps,
                guidanceScale == null ? others.guidanceScale : guidanceScale);
    }
}
