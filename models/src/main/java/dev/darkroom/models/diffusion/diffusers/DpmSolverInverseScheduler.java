package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.DpmSolver;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Solver;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' {@code DPMSolverMultistepInverseScheduler}: {@link DpmSolver#multistep} from data to
 * noise. Sigmas (in variance-exploding form) are rounded to float32; timesteps are whole.
 *
 * @param lambdaMin timesteps with a smaller log(alpha/sigma) are left out
 * @param sigmaSpacing null for the sigmas of the timesteps
 */
record DpmSolverInverseScheduler(
        BetaOptions betas,
        Clipping clipping,
        Solver solver,
        double lambdaMin,
        @Nullable SigmaSpacing sigmaSpacing)
        implements BetaScheduler {
    static DpmSolverInverseScheduler read(SchedulerConfig config) {
        if (config.flag("use_flow_sigmas", false)) {
            throw config.unsupported("use_flow_sigmas", true, "leave it out");
        }
        DpmSolver.Options solver = DpmSolverScheduler.solver(config);
        if (solver.algorithm().isStochastic()) {
            throw config.unsupported(
                    "algorithm_type",
                    config.text("algorithm_type", ""),
                    "the way back adds no noise: use dpmsolver++ or dpmsolver");
        }
        return new DpmSolverInverseScheduler(
                BetaOptions.read(config, Spacing.LINSPACE).withoutFlow(config),
                BetaOptions.thresholding(config),
                Solver.multistep(solver),
                config.number("lambda_min_clipped", Double.NEGATIVE_INFINITY),
                BetaOptions.sigmaSpacing(config));
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        NoiseSchedule schedule = betas.schedule();
        List<NoiseLevel> levels = new ArrayList<>();
        if (sigmaSpacing != null) {
            boolean rounded = sigmaSpacing == SigmaSpacing.KARRAS;
            double greatest = schedule.sigma(trainTimesteps() - 1);
            for (double sigma : sigmaSpacing.sigmas(steps, schedule.sigma(0), greatest)) {
                double t = schedule.timestepOf(sigma);
                add(levels, sigma, (long) (rounded ? Math.rint(t) : t));
            }
            return BetaOptions.endingAt(levels.getLast(), levels);
        }
        int used = used();
        for (long t : timesteps(used, steps)) {
            add(levels, schedule.sigma(t), t);
        }
        double end = (float) schedule.sigma(used - 1);
        return BetaOptions.endingAt(BetaOptions.preserving(end, used - 1), levels);
    }

    /** A timestep that comes twice by rounding is taken once. */
    private static void add(List<NoiseLevel> levels, double sigma, long timestep) {
        if (levels.isEmpty() || levels.getLast().timestep() != timestep) {
            levels.add(BetaOptions.preserving((float) sigma, timestep));
        }
    }

    /** How many timesteps are not too noisy. */
    private int used() {
        int used = 0;
        for (int t = 0; t < trainTimesteps(); t++) {
            used += betas.schedule().level(t).lambda() >= lambdaMin ? 1 : 0;
        }
        return used;
    }

    /** Those at which steps start, the earliest first. */
    private long[] timesteps(int used, int steps) {
        Spacing spacing = betas.spacing();
        double[] latestFirst =
                spacing == Spacing.LINSPACE
                        ? spacing.timesteps(used, steps + 1, 0)
                        : spacing.withoutZero(trainTimesteps(), used, steps, betas.offset());
        int stride = spacing == Spacing.LEADING ? used / (steps + 1) : 0;
        var timesteps = new long[Math.min(steps, latestFirst.length)];
        for (int i = 0; i < timesteps.length; i++) {
            timesteps[i] = (long) Math.rint(latestFirst[latestFirst.length - 1 - i]) - stride;
        }
        return timesteps;
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return solver;
    }
}
