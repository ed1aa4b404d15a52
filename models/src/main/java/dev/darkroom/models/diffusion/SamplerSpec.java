package dev.darkroom.models.diffusion;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.Warnings;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A sampler as a {@code scheduler_config.json} describes it. Every option of a class that is
 * supported is read; a value that is not supported is an error that names it.
 */
public interface SamplerSpec {
    /** What the network predicts. */
    Prediction prediction();

    /** How many timesteps the network was trained with. */
    int trainTimesteps();

    /** The forward process that the network was trained with; none if it was flow matching's. */
    Optional<NoiseSchedule> schedule();

    /**
     * The noise levels for a number of steps.
     *
     * @param steps from 1 to {@link #trainTimesteps}
     * @throws IllegalArgumentException if it can't take so many or so few, or takes no such option
     */
    SamplingPlan plan(int steps, SamplingOptions options);

    /** The noise levels for a number of steps, with nothing special. */
    default SamplingPlan plan(int steps) {
        return plan(steps, SamplingOptions.NONE);
    }

    /**
     * Reads the sampler that a {@code scheduler_config.json} describes.
     *
     * @param warnings are told of unknown options
     * @throws ConfigException if the file is malformed, or its class or an option is not supported
     * @throws IOException if it can't be read
     */
    static SamplerSpec read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, SamplerSpec::of);
    }

    /** As {@link #read(Path, Warnings)}; an unknown option is an error. */
    static SamplerSpec read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** As {@link #read(Path, Warnings)}, from a config that is part of another. */
    static SamplerSpec of(ConfigReader json) {
        return Schedulers.read(SchedulerConfig.of(json));
    }

    /**
     * Reads another sampler for the model of a {@code scheduler_config.json}: its betas, prediction
     * and whatever else both have stay, as with diffusers' {@code from_config}.
     *
     * @param name one of {@link #names}, or the name of diffusers' class
     * @param warnings are told of unknown options
     * @throws IllegalArgumentException if there is no such sampler
     * @throws ConfigException if the file is malformed, an option is not supported, or the sampler
     *     does not fit the model
     * @throws IOException if it can't be read
     */
    static SamplerSpec read(Path file, String name, Warnings warnings) throws IOException {
        Schedulers.Named named = Schedulers.named(name);
        return ConfigReader.read(
                file,
                warnings,
                json -> {
                    SchedulerConfig config = SchedulerConfig.of(json);
                    SamplerSpec spec =
                            Schedulers.read(config.as(named.className(), named.options()));
                    boolean flow =
                            config.className().startsWith("FlowMatch")
                                    || config.text("prediction_type", "").equals("flow_prediction");
                    if (flow != (spec.prediction() == Prediction.FLOW)) {
                        throw new IllegalArgumentException(
                                "sampler "
                                        + name
                                        + " does not fit a model of "
                                        + config.className()
                                        + (flow
                                                ? ", which is made by flow matching"
                                                : ", which is not made by flow matching"));
                    }
                    return spec;
                });
    }

    /** As {@link #read(Path, String, Warnings)}; an unknown option is an error. */
    static SamplerSpec read(Path file, String name) throws IOException {
        return read(file, name, Warnings.strict());
    }

    /** The short names of samplers. */
    static List<String> names() {
        return List.copyOf(Schedulers.NAMES.keySet());
    }

    /** The schedulers of diffusers that are supported, by class name. */
    static Set<String> schedulers() {
        return Collections.unmodifiableSet(Schedulers.CLASSES.keySet());
    }
}
