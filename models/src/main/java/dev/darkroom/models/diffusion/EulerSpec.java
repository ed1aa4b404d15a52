package dev.darkroom.models.diffusion;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' schedulers in variance-exploding form: {@code EulerDiscreteScheduler}, {@code
 * EulerAncestralDiscreteScheduler} and {@code HeunDiscreteScheduler}. Sigmas and timesteps are
 * rounded to float32.
 *
 * @param sigmaSpacing null for the sigmas of the timesteps
 * @param sigmaMin the least sigma of {@code sigmaSpacing}; null for that of the last timestep
 * @param sigmaMax the greatest; null for that of the first timestep
 * @param logLinear whether sigmas are equally spaced in their logarithm from the last timestep's to
 *     timestep 0's, where sampling then ends
 * @param continuous whether the network is told ¼·log σ
 * @param last the sigma at which sampling ends
 */
record EulerSpec(
        Method method,
        BetaOptions betas,
        Clipping clipping,
        @Nullable SigmaSpacing sigmaSpacing,
        @Nullable Double sigmaMin,
        @Nullable Double sigmaMax,
        boolean logLinear,
        boolean continuous,
        double last)
        implements BetaSpec {
    enum Method {
        EULER,
        ANCESTRAL,
        HEUN
    }

    static EulerSpec read(SchedulerConfig config) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LINSPACE)
                        .withoutFlow(config)
                        .withNearlyZeroSnr(config);
        String interpolation = config.text("interpolation_type", "linear");
        boolean logLinear = interpolation.equals("log_linear");
        if (!logLinear && !interpolation.equals("linear")) {
            throw config.unsupported(
                    "interpolation_type", interpolation, "use linear or log_linear");
        }
        String type = config.text("timestep_type", "discrete");
        if (!type.equals("discrete") && !type.equals("continuous")) {
            throw config.unsupported("timestep_type", type, "use discrete or continuous");
        }
        return new EulerSpec(
                Method.EULER,
                betas,
                Clipping.NONE,
                BetaOptions.sigmaSpacing(config),
                config.numberOrNull("sigma_min"),
                config.numberOrNull("sigma_max"),
                logLinear,
                type.equals("continuous") && betas.prediction() == Prediction.V_PREDICTION,
                BetaOptions.lastSigma(config, betas.schedule()));
    }

    static EulerSpec readAncestral(SchedulerConfig config) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LINSPACE)
                        .withoutFlow(config)
                        .withNearlyZeroSnr(config);
        return plain(Method.ANCESTRAL, betas, Clipping.NONE, null);
    }

    static EulerSpec readHeun(SchedulerConfig config) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LINSPACE, 0.00085, 0.012, "linear")
                        .withoutFlow(config);
        Clipping clipping = BetaOptions.clip(config, false);
        return plain(Method.HEUN, betas, clipping, BetaOptions.sigmaSpacing(config));
    }

    private static EulerSpec plain(
            Method method, BetaOptions betas, Clipping clipping, @Nullable SigmaSpacing spacing) {
        return new EulerSpec(method, betas, clipping, spacing, null, null, false, false, 0);
    }

    @Override
    public SamplingPlan plan(int steps, SamplingOptions options) {
        options.requireNoneBut("");
        BetaOptions.requireSteps(steps, trainTimesteps());
        List<NoiseLevel> levels = levels(steps);
        double greatest = levels.stream().mapToDouble(NoiseLevel::sigma).max().orElseThrow();
        double initialScale =
                betas.spacing() == Spacing.LEADING ? Math.hypot(greatest, 1) : greatest;
        return new SamplingPlan(
                method == Method.HEUN
                        ? Samplers.heunEvaluations(levels)
                        : levels.subList(0, levels.size() - 1),
                levels.getLast(),
                initialScale,
                (denoiser, x, noise, on) -> {
                    Denoiser clipped = clipping.around(denoiser);
                    return switch (method) {
                        case EULER -> Samplers.euler(clipped, x, levels, on);
                        case ANCESTRAL -> Samplers.eulerAncestral(clipped, x, levels, noise, on);
                        case HEUN -> Samplers.heun(clipped, x, levels, on);
                    };
                });
    }

    private List<NoiseLevel> levels(int steps) {
        NoiseSchedule schedule = betas.schedule();
        double[] timesteps = betas.timesteps(steps);
        var sigmas = new double[timesteps.length];
        double end = last;
        for (int i = 0; i < sigmas.length; i++) {
            timesteps[i] = (float) timesteps[i];
            sigmas[i] = schedule.sigma(timesteps[i]);
        }
        if (logLinear) {
            double[] all = logLinear(steps + 1);
            System.arraycopy(all, 0, sigmas, 0, steps);
            end = all[steps];
        }
        if (sigmaSpacing != null) {
            sigmas =
                    sigmaSpacing.sigmas(
                            steps,
                            sigmaMax != null ? sigmaMax : sigmas[0],
                            sigmaMin != null ? sigmaMin : logLinear ? end : sigmas[steps - 1]);
            end = last;
        }
        List<NoiseLevel> levels = new ArrayList<>();
        for (int i = 0; i < steps; i++) {
            double timestep = sigmaSpacing != null ? schedule.timestepOf(sigmas[i]) : timesteps[i];
            double sigma = (float) sigmas[i];
            timestep = continuous ? 0.25 * (float) Math.log(sigma) : timestep;
            levels.add(NoiseLevel.varianceExploding(sigma, (float) timestep));
        }
        return BetaOptions.endingAt(NoiseLevel.varianceExploding((float) end, 0), levels);
    }

    private double[] logLinear(int count) {
        NoiseSchedule schedule = betas.schedule();
        double greatest = schedule.sigma(trainTimesteps() - 1);
        return SigmaSpacing.EXPONENTIAL.sigmas(count, greatest, schedule.sigma(0));
    }
}
