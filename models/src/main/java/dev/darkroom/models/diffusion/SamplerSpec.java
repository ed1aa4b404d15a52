package dev.darkroom.models.diffusion;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.config.ConfigReader;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;

/**
 * A sampler as a {@code scheduler_config.json} describes it. Every option of a class that is
 * supported is read; a value that is not supported is an error that names it.
 */
public interface SamplerSpec {
    /** What the network predicts. */
    Prediction prediction();

    /** How many timesteps the network was trained with. */
    int trainTimesteps();

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
     * @throws ConfigException if the file is malformed, or its class or an option is not supported
     * @throws IOException if it can't be read
     */
    static SamplerSpec read(Path file) throws IOException {
        return ConfigReader.read(file, json -> Registry.read(SchedulerConfig.of(json)));
    }

    /**
     * Reads another sampler for the model of a {@code scheduler_config.json}: its betas, prediction
     * and whatever else both have stay, as with diffusers' {@code from_config}.
     *
     * @param name one of {@link #names}, or the name of diffusers' class
     * @throws IllegalArgumentException if there is no such sampler
     * @throws ConfigException if the file is malformed, an option is not supported, or the sampler
     *     does not fit the model
     * @throws IOException if it can't be read
     */
    static SamplerSpec read(Path file, String name) throws IOException {
        Registry.Named named = Registry.named(name);
        return ConfigReader.read(
                file,
                json -> {
                    SchedulerConfig config = SchedulerConfig.of(json);
                    SamplerSpec spec = Registry.read(config.as(named.className(), named.options()));
                    boolean flow = config.className().startsWith("FlowMatch");
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

    /** The short names of samplers. */
    static List<String> names() {
        return List.copyOf(Registry.NAMES.keySet());
    }

    /** The schedulers of diffusers that are supported, by class name. */
    static Set<String> schedulers() {
        return Collections.unmodifiableSet(Registry.CLASSES.keySet());
    }

    /** Which class reads which config. */
    final class Registry {
        /** A class of diffusers and options of it. */
        record Named(String className, Map<String, Object> options) {}

        private static final Map<String, Function<SchedulerConfig, SamplerSpec>> CLASSES =
                new TreeMap<>(
                        Map.of(
                                "DDPMScheduler", DdpmSpec::read,
                                "DDIMScheduler", DdimSpec::read,
                                "EulerDiscreteScheduler", EulerSpec::read,
                                "EulerAncestralDiscreteScheduler", EulerSpec::readAncestral,
                                "HeunDiscreteScheduler", EulerSpec::readHeun,
                                "DPMSolverMultistepScheduler", DpmSolverSpec::read,
                                "LCMScheduler", LcmSpec::read,
                                "FlowMatchEulerDiscreteScheduler", FlowEulerSpec::read));

        private static final Map<String, Named> NAMES = new LinkedHashMap<>();

        static {
            NAMES.put("ddpm", new Named("DDPMScheduler", Map.of()));
            NAMES.put("ddim", new Named("DDIMScheduler", Map.of()));
            NAMES.put("euler", new Named("EulerDiscreteScheduler", Map.of()));
            NAMES.put("euler-a", new Named("EulerAncestralDiscreteScheduler", Map.of()));
            NAMES.put("heun", new Named("HeunDiscreteScheduler", Map.of()));
            NAMES.put("dpm++2m", dpmSolver("dpmsolver++", 2, false));
            NAMES.put("dpm++2m-karras", dpmSolver("dpmsolver++", 2, true));
            NAMES.put("dpm++2m-sde", dpmSolver("sde-dpmsolver++", 2, false));
            NAMES.put("dpm++3m", dpmSolver("dpmsolver++", 3, false));
            NAMES.put("lcm", new Named("LCMScheduler", Map.of()));
            NAMES.put("flow-euler", new Named("FlowMatchEulerDiscreteScheduler", Map.of()));
        }

        private Registry() {}

        static SamplerSpec read(SchedulerConfig config) {
            Function<SchedulerConfig, SamplerSpec> reader = CLASSES.get(config.className());
            if (reader == null) {
                throw new IllegalArgumentException(
                        "scheduler "
                                + config.className()
                                + " is not supported; supported are "
                                + String.join(", ", CLASSES.keySet()));
            }
            return reader.apply(config);
        }

        static Named named(String name) {
            Named named = NAMES.get(name);
            if (named == null && CLASSES.containsKey(name)) {
                named = new Named(name, Map.of());
            }
            if (named == null) {
                throw new IllegalArgumentException(
                        "no sampler is called "
                                + name
                                + "; there are "
                                + String.join(", ", NAMES.keySet()));
            }
            return named;
        }

        private static Named dpmSolver(String algorithm, int order, boolean karras) {
            return new Named(
                    "DPMSolverMultistepScheduler",
                    Map.of(
                            "algorithm_type", algorithm,
                            "solver_order", order,
                            "use_karras_sigmas", karras));
        }
    }
}
