package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solver;

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
 * @param continuous whether the network takes ¼·log σ for the time
 * @param last the sigma at which sampling ends
 */
record EulerScheduler(
        Solver solver,
        BetaOptions betas,
        Clipping clipping,
        @Nullable SigmaSpacing sigmaSpacing,
        @Nullable Double sigmaMin,
        @Nullable Double sigmaMax,
        boolean logLinear,
        boolean continuous,
        double last)
        implements BetaScheduler {
    static EulerScheduler read(SchedulerConfig config) {
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
        return new EulerScheduler(
                Solver.euler(),
                betas,
                Clipping.NONE,
                BetaOptions.sigmaSpacing(config),
                config.numberOrNull("sigma_min"),
                config.numberOrNull("sigma_max"),
                logLinear,
                type.equals("continuous") && betas.prediction() == Prediction.V_PREDICTION,
                BetaOptions.lastSigma(config, betas.schedule()));
    }

    static EulerScheduler readAncestral(SchedulerConfig config) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LINSPACE)
                        .withoutFlow(config)
                        .withNearlyZeroSnr(config);
        return plain(Solver.eulerAncestral(), betas, Clipping.NONE, null);
    }

    static EulerScheduler readHeun(SchedulerConfig config) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LINSPACE, 0.00085, 0.012, "linear")
                        .withoutFlow(config);
        Clipping clipping = BetaOptions.clip(config, false);
        return plain(Solver.heun(), betas, clipping, BetaOptions.sigmaSpacing(config));
    }

    private static EulerScheduler plain(
            Solver solver, BetaOptions betas, Clipping clipping, @Nullable SigmaSpacing spacing) {
        return new EulerScheduler(solver, betas, clipping, spacing, null, null, false, false, 0);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return solver;
    }

    @Override
    public double initialScale(List<NoiseLevel> levels) {
        double greatest = levels.stream().mapToDouble(NoiseLevel::sigma).max().orElseThrow();
        return betas.spacing() == Spacing.LEADING ? Math.hypot(greatest, 1) : greatest;
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
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
