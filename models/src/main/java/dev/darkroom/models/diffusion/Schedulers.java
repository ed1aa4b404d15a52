package dev.darkroom.models.diffusion;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;

/** Which config is read by what, and the short names of samplers. */
final class Schedulers {
    /** A class of diffusers and options of it. */
    record Named(String className, Map<String, Object> options) {}

    static final Map<String, Function<SchedulerConfig, SamplerSpec>> CLASSES =
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

    static final Map<String, Named> NAMES = new LinkedHashMap<>();

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

    private Schedulers() {}

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
