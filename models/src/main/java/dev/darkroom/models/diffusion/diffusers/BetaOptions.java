package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The options that all schedulers with betas share.
 *
 * @param schedule the forward process
 * @param spacing which timesteps are taken
 * @param offset added to them with leading spacing
 * @param prediction what the network predicts
 */
record BetaOptions(NoiseSchedule schedule, Spacing spacing, int offset, Prediction prediction) {
    private static final int TIMESTEPS = 1000;

    /** By how much λ rounds where two levels are the same. */
    private static final double SAME = 1e-6;

    /** The defaults of the classes that have DDPM's. */
    static BetaOptions read(SchedulerConfig config, Spacing spacing) {
        return read(config, spacing, 0.0001, 0.02, "linear");
    }

    static BetaOptions read(
            SchedulerConfig config,
            Spacing spacing,
            double betaStart,
            double betaEnd,
            String betaSchedule) {
        int timesteps = config.integer("num_train_timesteps", TIMESTEPS);
        if (timesteps < 2) {
            throw config.unsupported("num_train_timesteps", timesteps, "at least 2 are needed");
        }
        double start = config.number("beta_start", betaStart);
        double end = config.number("beta_end", betaEnd);
        List<Double> trained = config.numbersOrNull("trained_betas");
        NoiseSchedule schedule =
                trained == null
                        ? schedule(config, timesteps, start, end, betaSchedule)
                        : NoiseSchedule.ofBetas(floats(trained));
        if (schedule.timesteps() != timesteps) {
            throw config.unsupported(
                    "trained_betas",
                    "a list of " + schedule.timesteps(),
                    "num_train_timesteps is " + timesteps);
        }
        return new BetaOptions(
                schedule,
                spacing(config, spacing),
                config.integer("steps_offset", 0),
                prediction(config));
    }

    private static NoiseSchedule schedule(
            SchedulerConfig config, int timesteps, double start, double end, String missing) {
        String name = config.text("beta_schedule", missing);
        return switch (name) {
            case "linear" -> NoiseSchedule.linear(timesteps, start, end);
            case "scaled_linear" -> NoiseSchedule.scaledLinear(timesteps, start, end);
            case "squaredcos_cap_v2" -> NoiseSchedule.cosine(timesteps);
            case "exp" -> NoiseSchedule.exponential(timesteps);
            case "sigmoid" -> NoiseSchedule.sigmoid(timesteps, start, end);
            default ->
                    throw config.unsupported(
                            "beta_schedule",
                            name,
                            "use linear, scaled_linear, squaredcos_cap_v2, exp or sigmoid");
        };
    }

    private static float[] floats(List<Double> numbers) {
        var floats = new float[numbers.size()];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = numbers.get(i).floatValue();
        }
        return floats;
    }

    private static Spacing spacing(SchedulerConfig config, Spacing missing) {
        String name = config.text("timestep_spacing", "");
        return switch (name) {
            case "" -> missing;
            case "leading" -> Spacing.LEADING;
            case "linspace" -> Spacing.LINSPACE;
            case "trailing" -> Spacing.TRAILING;
            default ->
                    throw config.unsupported(
                            "timestep_spacing", name, "use leading, linspace or trailing");
        };
    }

    private static Prediction prediction(SchedulerConfig config) {
        String name = config.text("prediction_type", "epsilon");
        return switch (name) {
            case "epsilon" -> Prediction.EPSILON;
            case "v_prediction" -> Prediction.V_PREDICTION;
            case "sample", "original_sample" -> Prediction.SAMPLE;
            case "flow_prediction" -> Prediction.FLOW;
            default ->
                    throw config.unsupported(
                            "prediction_type",
                            name,
                            "use epsilon, v_prediction, sample or flow_prediction");
        };
    }

    /** These options without flow matching, which has no betas. */
    BetaOptions withoutFlow(SchedulerConfig config) {
        if (prediction == Prediction.FLOW) {
            throw config.unsupported(
                    "prediction_type", "flow_prediction", "use epsilon, v_prediction or sample");
        }
        return this;
    }

    /** These options with zero terminal SNR if the config asks for it. */
    BetaOptions withZeroSnr(SchedulerConfig config) {
        return config.flag("rescale_betas_zero_snr", false)
                ? withSchedule(schedule.withZeroTerminalSnr())
                : this;
    }

    /** The same for samplers that need a finite sigma everywhere. */
    BetaOptions withNearlyZeroSnr(SchedulerConfig config) {
        return config.flag("rescale_betas_zero_snr", false)
                ? withSchedule(schedule.withZeroTerminalSnr().withFiniteSigma())
                : this;
    }

    BetaOptions withSchedule(NoiseSchedule changed) {
        return new BetaOptions(changed, spacing, offset, prediction);
    }

    /** The timesteps that are taken, latest first. */
    double[] timesteps(int steps) {
        return spacing.timesteps(trainTimesteps(), steps, offset);
    }

    /** The levels of whole timesteps, latest first. */
    List<NoiseLevel> levels(int steps) {
        return Arrays.stream(timesteps(steps))
                .mapToObj(t -> schedule.level((int) Math.rint(t)))
                .toList();
    }

    int trainTimesteps() {
        return schedule.timesteps();
    }

    /** The sigmas that the network was trained at. */
    ModelSigmas sigmas() {
        return new ModelSigmas(0, trainTimesteps(), schedule::sigma, false);
    }

    /**
     * The levels that a call gives, in variance-preserving form.
     *
     * @param end where sampling ends, unless the last of them has as little noise: then it ends
     *     without any
     */
    List<NoiseLevel> given(LevelChoice levels, int steps, NoiseLevel end) {
        List<NoiseLevel> given =
                levels.levels(
                        steps,
                        sigmas(),
                        schedule::timestepOf,
                        (sigma, t) ->
                                t == Math.rint(t) && sigma == schedule.sigma(t)
                                        ? schedule.level((int) t)
                                        : preserving(sigma, t));
        boolean falls = given.getLast().lambda() < end.lambda() - SAME;
        return endingAt(falls ? end : NoiseLevel.CLEAN, given);
    }

    /** The variance-preserving level of a sigma in variance-exploding form. */
    static NoiseLevel preserving(double sigma, double timestep) {
        double alpha = 1 / Math.hypot(sigma, 1);
        return new NoiseLevel(alpha, sigma * alpha, timestep);
    }

    /**
     * Checks what a plan is asked for.
     *
     * @throws IllegalArgumentException if the number of steps is not from 1 to {@code most}
     */
    static void requireSteps(int steps, int most) {
        if (steps < 1 || steps > most) {
            throw new IllegalArgumentException(
                    "the number of steps must be from 1 to " + most + ", not " + steps);
        }
    }

    /**
     * Returns the level after timestep 0.
     *
     * @param cleanByDefault whether it is free of noise where {@code set_alpha_to_one} is left out
     */
    NoiseLevel last(SchedulerConfig config, boolean cleanByDefault) {
        return config.flag("set_alpha_to_one", cleanByDefault)
                ? NoiseLevel.CLEAN
                : schedule.level(0);
    }

    /** Levels with one more after them. */
    static List<NoiseLevel> endingAt(NoiseLevel end, List<NoiseLevel> levels) {
        List<NoiseLevel> all = new ArrayList<>(levels);
        all.add(end);
        return List.copyOf(all);
    }

    /**
     * Returns how x̂0 is clipped, where the class has {@code thresholding} and {@code clip_sample}.
     */
    static Clipping clipping(SchedulerConfig config, boolean clipByDefault) {
        if (config.flag("thresholding", false)) {
            return thresholding(config);
        }
        return clip(config, clipByDefault);
    }

    /** Returns how x̂0 is clipped, where the class has {@code thresholding}. */
    static Clipping thresholding(SchedulerConfig config) {
        return config.flag("thresholding", false)
                ? Clipping.dynamic(
                        config.number("dynamic_thresholding_ratio", 0.995),
                        config.number("sample_max_value", 1))
                : Clipping.NONE;
    }

    /** Returns how x̂0 is clipped, where the class has {@code clip_sample}. */
    static Clipping clip(SchedulerConfig config, boolean byDefault) {
        return config.flag("clip_sample", byDefault)
                ? Clipping.range(config.number("clip_sample_range", 1))
                : Clipping.NONE;
    }

    /** The sigma at which sampling ends, in variance-exploding form. */
    static double lastSigma(SchedulerConfig config, NoiseSchedule schedule) {
        String type = config.text("final_sigmas_type", "zero");
        return switch (type) {
            case "zero" -> 0;
            case "sigma_min" -> schedule.sigma(0);
            default -> throw config.unsupported("final_sigmas_type", type, "use zero or sigma_min");
        };
    }

    /** Which of the options for other spacings of sigmas is on; null for none. */
    static @Nullable SigmaSpacing sigmaSpacing(SchedulerConfig config) {
        @Nullable SigmaSpacing chosen = null;
        for (SigmaSpacing spacing : SigmaSpacing.values()) {
            if (config.flag(spacing.option(), false)) {
                if (chosen != null) {
                    throw config.unsupported(
                            spacing.option(), true, "only one such option can be on at a time");
                }
                chosen = spacing;
            }
        }
        return chosen;
    }
}
