package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.EulerMaruyama;
import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Preconditioning;
import dev.darkroom.models.diffusion.Sde;
import dev.darkroom.models.diffusion.Solver;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' {@code ScoreSdeVpScheduler}: {@link EulerMaruyama#solve} on the variance-preserving
 * SDE, at times from 1 down, which the network takes, in steps of equal length.
 *
 * @param sde the process
 * @param end the last time
 */
record ScoreSdeVpScheduler(int trainTimesteps, Sde sde, double end) implements Scheduler {
    static ScoreSdeVpScheduler read(SchedulerConfig config) {
        double least = config.number("beta_min", 0.1);
        double greatest = config.number("beta_max", 20);
        if (!(least >= 0 && least <= greatest && greatest > 0)) {
            throw config.unsupported("beta_min", least, "it is 0 or more and at most beta_max");
        }
        return new ScoreSdeVpScheduler(
                timesteps(config), Sde.variancePreserving(least, greatest), end(config, 1e-3));
    }

    static int timesteps(SchedulerConfig config) {
        int timesteps = config.integer("num_train_timesteps", 2000);
        if (timesteps < 2) {
            throw config.unsupported("num_train_timesteps", timesteps, "at least 2 are needed");
        }
        return timesteps;
    }

    static double end(SchedulerConfig config, double missing) {
        double end = config.number("sampling_eps", missing);
        if (!(end > 0 && end < 1)) {
            throw config.unsupported("sampling_eps", end, "it is above 0 and below 1");
        }
        return end;
    }

    @Override
    public ForwardProcess process() {
        return new ForwardProcess(Preconditioning.score(true), trainTimesteps, null);
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        List<NoiseLevel> levels = new ArrayList<>();
        for (int i = 0; i < steps; i++) {
            double t = (float) (steps == 1 ? 1 : 1 + (end - 1) * i / (steps - 1));
            NoiseLevel at = sde.level(t);
            levels.add(new NoiseLevel(at.alpha(), at.sigma(), t));
        }
        return BetaOptions.endingAt(NoiseLevel.CLEAN, levels);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return Solver.eulerMaruyama(sde, NoiseLevel::timestep, 1.0 / steps);
    }
}
