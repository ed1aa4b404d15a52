package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.Solvers;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' {@code DDIMInverseScheduler}: {@link Solvers#ddim} from data to noise (Dhariwal and
 * Nichol 2021, arXiv:2105.05233, section F; Mokady et al. 2022, arXiv:2211.09794, section 3.2). At
 * the level where a step starts, the network is told the timestep at which it ends.
 *
 * @param first the level before timestep 0
 */
record DdimInverseScheduler(BetaOptions betas, Clipping clipping, NoiseLevel first)
        implements BetaScheduler {
    static DdimInverseScheduler read(SchedulerConfig config) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LEADING).withoutFlow(config).withZeroSnr(config);
        if (betas.spacing() == Spacing.LINSPACE) {
            throw config.unsupported("timestep_spacing", "linspace", "use leading or trailing");
        }
        return new DdimInverseScheduler(
                betas, BetaOptions.clip(config, true), betas.last(config, true));
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        int stride = trainTimesteps() / steps;
        List<NoiseLevel> levels = new ArrayList<>();
        NoiseLevel end = first;
        for (NoiseLevel to : betas.levels(steps).reversed()) {
            int from = (int) to.timestep() - stride;
            NoiseLevel at = from >= 0 ? betas.schedule().level(from) : first;
            levels.add(new NoiseLevel(at.alpha(), at.sigma(), to.timestep()));
            end = to;
        }
        return BetaOptions.endingAt(end, levels);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return Solver.ddim(0, false, at -> betas.schedule().level((int) at.timestep()));
    }
}
