package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.DpmSolver;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Solver;

import java.util.List;

/**
 * diffusers' {@code CogVideoXDPMScheduler}: DPM-Solver++ for the reverse SDE by the last two
 * estimates ({@link DpmSolver#multistep}), on a schedule of shifted signal-to-noise ratios. A step
 * ends where the next begins; in diffusers that is so for numbers of steps that divide the number
 * of timesteps. diffusers draws noise twice in most steps, and leaves the first unused.
 *
 * @param last the level after timestep 0
 */
record CogVideoXDpmScheduler(BetaOptions betas, NoiseLevel last) implements BetaScheduler {
    private static final Solver SOLVER =
            Solver.multistep(
                    new DpmSolver.Options(
                            DpmSolver.Algorithm.DATA_SDE, 2, DpmSolver.Kind.MIDPOINT, false, true));

    static CogVideoXDpmScheduler read(SchedulerConfig config) {
        BetaOptions betas = betas(config);
        return new CogVideoXDpmScheduler(betas, betas.last(config, true));
    }

    /** The options that both of CogVideoX's classes have. */
    static BetaOptions betas(SchedulerConfig config) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LEADING, 0.00085, 0.012, "scaled_linear")
                        .withoutFlow(config);
        double factor = config.number("snr_shift_scale", 3);
        if (!(factor > 0)) {
            throw config.unsupported("snr_shift_scale", factor, "it must be above 0");
        }
        return betas.withSchedule(betas.schedule().withShiftedSnr(factor)).withZeroSnr(config);
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        return arguments.levels() == null
                ? BetaOptions.endingAt(last, betas.levels(steps))
                : betas.given(arguments.levels(), steps, last);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return SOLVER;
    }

    @Override
    public String taken() {
        return "levels";
    }
}
