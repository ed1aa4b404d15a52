package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.config.ConfigReader;

import org.jspecify.annotations.Nullable;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * A {@code scheduler_config.json} while it is read: the options that a class of diffusers was
 * constructed with, which may be meant for another class.
 */
final class SchedulerConfig {
    /**
     * What schedulers of diffusers have as options. Files are passed on from one class to another,
     * and a class ignores what only others have, as in diffusers; other options are errors.
     */
    private static final String[] OF_ANY_CLASS = {
        "algorithm_type",
        "base_image_seq_len",
        "base_shift",
        "beta_end",
        "beta_max",
        "beta_min",
        "beta_schedule",
        "beta_start",
        "clip_denoised",
        "clip_sample",
        "clip_sample_range",
        "correct_steps",
        "corrector_order",
        "corrector_steps",
        "disable_corrector",
        "dynamic_thresholding_ratio",
        "eta",
        "euler_at_final",
        "final_sigmas_type",
        "flow_shift",
        "interpolation_type",
        "invert_sigmas",
        "lambda_min_clipped",
        "langevin_step_size",
        "langevin_steps",
        "lower_order_final",
        "max_image_seq_len",
        "max_shift",
        "num_train_timesteps",
        "original_inference_steps",
        "predict_x0",
        "prediction_type",
        "predictor_order",
        "rescale_betas_zero_snr",
        "rho",
        "rtol",
        "s_noise",
        "sample_max_value",
        "sampling_eps",
        "scale_factors",
        "set_alpha_to_one",
        "shift",
        "shift_terminal",
        "sigma_data",
        "sigma_max",
        "sigma_min",
        "sigma_schedule",
        "skip_prk_steps",
        "snr",
        "snr_shift_scale",
        "solver_order",
        "solver_p",
        "solver_type",
        "steps_offset",
        "stochastic_sampling",
        "tau_func",
        "thresholding",
        "time_shift_type",
        "timestep_scaling",
        "timestep_spacing",
        "timestep_type",
        "trained_betas",
        "upscale_mode",
        "use_beta_sigmas",
        "use_dynamic_shifting",
        "use_exponential_sigmas",
        "use_flow_sigmas",
        "use_karras_sigmas",
        "use_lu_lambdas",
        "variance_type"
    };

    private final ConfigReader json;
    private final String className;
    private final Map<String, Object> set;
    private final Set<String> asked = new HashSet<>();

    private SchedulerConfig(ConfigReader json, String className, Map<String, Object> set) {
        this.json = json;
        this.className = className;
        this.set = set;
        json.ignore(OF_ANY_CLASS);
    }

    /** Whether some class has such an option. */
    static boolean isOption(String name) {
        return options().contains(name);
    }

    /** The options of all classes. */
    static List<String> options() {
        return List.of(OF_ANY_CLASS);
    }

    /** The options for the class that the file names. */
    static SchedulerConfig of(ConfigReader json) {
        String name = json.textOrNull("_class_name");
        if (name == null) {
            throw new IllegalArgumentException(
                    "it has no _class_name, so it describes no scheduler");
        }
        return new SchedulerConfig(json, name, Map.of());
    }

    /**
     * The options for another class: as diffusers' {@code from_config}, which keeps those that both
     * have.
     *
     * @param set options to set besides; texts are read as what they are asked for
     */
    SchedulerConfig as(String className, Map<String, Object> set) {
        return new SchedulerConfig(json, className, set);
    }

    /** The name of diffusers' class. */
    String className() {
        return className;
    }

    /**
     * Checks that what was set besides the file has an effect.
     *
     * @throws IllegalArgumentException if the class did not ask for it
     */
    void requireAsked(Set<String> names) {
        for (String name : names) {
            if (!asked.contains(name)) {
                throw new IllegalArgumentException(
                        className
                                + " has no option "
                                + name
                                + "; it has "
                                + String.join(", ", new TreeSet<>(asked)));
            }
        }
    }

    // ---- Options; null in the file is "not given", and false for a flag ----

    private @Nullable Object set(String name) {
        asked.add(name);
        return set.get(name);
    }

    String text(String name, String missing) {
        if (set(name) instanceof String value) {
            return value;
        }
        String value = json.textOrNull(name);
        return value == null ? missing : value;
    }

    /** Whether the file has a value that is not null. */
    boolean has(String name) {
        return set(name) != null || json.has(name);
    }

    @Nullable Double numberOrNull(String name) {
        if (set(name) instanceof String value) {
            return SamplerSettings.parsed(name, value);
        }
        return json.numberOrNull(name);
    }

    double number(String name, double missing) {
        Double value = numberOrNull(name);
        return value == null ? missing : value;
    }

    int integer(String name, int missing) {
        Object chosen = set(name);
        if (chosen instanceof Integer value) {
            return value;
        }
        if (chosen instanceof String value) {
            double number = SamplerSettings.parsed(name, value);
            if (number != Math.rint(number)) {
                throw unsupported(name, value, "it is a whole number");
            }
            return (int) number;
        }
        Integer value = json.integerOrNull(name);
        return value == null ? missing : value;
    }

    boolean flag(String name, boolean missing) {
        Object chosen = set(name);
        if (chosen instanceof Boolean value) {
            return value;
        }
        if (chosen instanceof String value) {
            if (!value.equals("true") && !value.equals("false")) {
                throw unsupported(name, value, "it is true or false");
            }
            return value.equals("true");
        }
        Boolean value = json.flagOrNull(name);
        return value == null ? missing && !json.has(name) : value;
    }

    /** Lists are the file's. */
    @Nullable List<Double> numbersOrNull(String name) {
        return json.numbersOrNull(name);
    }

    /** Returns what to throw where an option's value can't be used. */
    IllegalArgumentException unsupported(String name, Object value, String advice) {
        return new IllegalArgumentException(
                className + " with " + name + " = " + value + " is not supported; " + advice);
    }
}
