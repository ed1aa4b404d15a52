package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solver;

import java.util.List;
import java.util.function.UnaryOperator;

/**
 * diffusers' {@code PNDMScheduler}: {@link Solver#pndm}, or without its Runge-Kutta steps {@link
 * Solver#plms}.
 *
 * @param rungeKutta whether the first steps are Runge and Kutta's
 * @param last the level after timestep 0
 */
record PndmScheduler(BetaOptions betas, boolean rungeKutta, NoiseLevel last)
        implements BetaScheduler {
    static PndmScheduler read(SchedulerConfig config) {
        BetaOptions betas = BetaOptions.read(config, Spacing.LEADING).withoutFlow(config);
        boolean rungeKutta = !config.flag("skip_prk_steps", false);
        return new PndmScheduler(betas, rungeKutta, betas.last(config, false));
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        return arguments.levels() == null
                ? BetaOptions.endingAt(last, betas.levels(steps))
                : betas.given(arguments.levels(), steps, last);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        // steps along the noise, which diffusers refuses for such a network
        Prediction prediction =
                betas.prediction() == Prediction.SAMPLE ? Prediction.EPSILON : betas.prediction();
        if (arguments.levels() != null) {
            return rungeKutta ? Solver.pndm(prediction) : Solver.plms(prediction);
        }
        int stride = trainTimesteps() / steps;
        UnaryOperator<NoiseLevel> after = at -> at(at.timestep() - stride);
        if (rungeKutta) {
            int half = stride / 2;
            return Solver.pndm(prediction, after, at -> at(at.timestep() - half));
        }
        int latest = trainTimesteps() - 1;
        return Solver.plms(prediction, after, at -> at(Math.min(at.timestep() + stride, latest)));
    }

    @Override
    public String taken() {
        return "levels";
    }

    private NoiseLevel at(double timestep) {
        return timestep >= 0 ? betas.schedule().level((int) timestep) : last;
    }
}
