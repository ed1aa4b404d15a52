package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Preconditioning;
import dev.darkroom.models.diffusion.PredictorCorrector;
import dev.darkroom.models.diffusion.Solver;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' {@code ScoreSdeVeScheduler}, as its pipeline uses it: {@link PredictorCorrector#solve}
 * by reverse diffusion on geometrically spaced sigmas, for a network that takes a sigma and
 * predicts the score (Song et al. 2021, arXiv:2011.13456, algorithms 2 and 4). The sigmas that the
 * network is shown end a little above the least.
 *
 * @param least the last sigma
 * @param greatest the first
 * @param end where the times end by which the network's sigmas are spaced
 */
record ScoreSdeVeScheduler(
        int trainTimesteps, double least, double greatest, double end, Solver solver)
        implements Scheduler {
    static ScoreSdeVeScheduler read(SchedulerConfig config) {
        int timesteps = ScoreSdeVpScheduler.timesteps(config);
        double least = config.number("sigma_min", 0.01);
        double greatest = config.number("sigma_max", 1348);
        if (!(least > 0 && least < greatest)) {
            throw config.unsupported("sigma_min", least, "it is above 0 and below sigma_max");
        }
        int corrections = config.integer("correct_steps", 1);
        double snr = config.number("snr", 0.15);
        return new ScoreSdeVeScheduler(
                timesteps,
                least,
                greatest,
                ScoreSdeVpScheduler.end(config, 1e-5),
                Solver.predictorCorrector(
                        PredictorCorrector.Predictor.REVERSE_DIFFUSION,
                        corrections,
                        snr,
                        Double.POSITIVE_INFINITY));
    }

    @Override
    public ForwardProcess process() {
        return new ForwardProcess(Preconditioning.score(false), trainTimesteps, null);
    }

    @Override
    public double initialScale(List<NoiseLevel> levels) {
        return greatest;
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        double shown = least * Math.pow(greatest / least, end);
        double[] sigmas = SigmaSpacing.EXPONENTIAL.sigmas(steps, greatest, least);
        double[] seen = SigmaSpacing.EXPONENTIAL.sigmas(steps, greatest, shown);
        List<NoiseLevel> levels = new ArrayList<>();
        for (int i = 0; i < steps; i++) {
            levels.add(NoiseLevel.varianceExploding((float) sigmas[i], (float) seen[i]));
        }
        return BetaOptions.endingAt(NoiseLevel.CLEAN, levels);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return solver;
    }
}
