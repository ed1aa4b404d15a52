package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solver;

import java.util.List;

/**
 * diffusers' {@code PNDMScheduler} without its Runge-Kutta steps: {@link Solver#plms}.
 *
 * @param last the level after timestep 0
 */
record PndmScheduler(BetaOptions betas, NoiseLevel last) implements BetaScheduler {
    static PndmScheduler read(SchedulerConfig config) {
        BetaOptions betas = BetaOptions.read(config, Spacing.LEADING).withoutFlow(config);
        if (!config.flag("skip_prk_steps", false)) {
            throw config.unsupported("skip_prk_steps", false, "set it to true");
        }
        return new PndmScheduler(betas, betas.last(config, false));
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        return BetaOptions.endingAt(last, betas.levels(steps));
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        int stride = trainTimesteps() / steps;
        int latest = trainTimesteps() - 1;
        return Solver.plms(
                // steps along the noise, which diffusers refuses for such a network
                betas.prediction() == Prediction.SAMPLE ? Prediction.EPSILON : betas.prediction(),
                at -> at(at.timestep() - stride),
                at -> at(Math.min(at.timestep() + stride, latest)));
    }

    private NoiseLevel at(double timestep) {
        return timestep >= 0 ? betas.schedule().level((int) timestep) : last;
    }
}
