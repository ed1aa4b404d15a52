package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.Solvers;

import java.util.List;

/**
 * diffusers' {@code DDIMScheduler}, {@code DDIMParallelScheduler} and {@code
 * CogVideoXDDIMScheduler}: {@link Solvers#ddim}.
 *
 * @param last the level after timestep 0
 */
record DdimScheduler(BetaOptions betas, Clipping clipping, NoiseLevel last)
        implements BetaScheduler {
    static DdimScheduler read(SchedulerConfig config) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LEADING).withoutFlow(config).withZeroSnr(config);
        return new DdimScheduler(
                betas, BetaOptions.clipping(config, true), betas.last(config, true));
    }

    /** Reads a {@code CogVideoXDDIMScheduler}, which clips nothing. */
    static DdimScheduler readCogVideoX(SchedulerConfig config) {
        BetaOptions betas = CogVideoXDpmScheduler.betas(config);
        return new DdimScheduler(betas, Clipping.NONE, betas.last(config, true));
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        return arguments.levels() == null
                ? BetaOptions.endingAt(last, betas.levels(steps))
                : betas.given(arguments.levels(), steps, last);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        if (arguments.levels() != null) {
            return Solver.ddim(arguments.eta(0), arguments.clippedNoise(), null);
        }
        int stride = trainTimesteps() / steps;
        return Solver.ddim(
                arguments.eta(0),
                arguments.clippedNoise(),
                at -> {
                    int t = (int) at.timestep() - stride;
                    return t >= 0 ? betas.schedule().level(t) : last;
                });
    }

    @Override
    public String taken() {
        return "eta clippedNoise levels";
    }
}
