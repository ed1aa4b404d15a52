package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solver;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' {@code IPNDMScheduler}: {@link Solver#improvedPndm} for networks of v-prediction whose
 * time goes from 1, pure noise, to 0, at levels with sigma = sin²(πu/2) for equal steps of u.
 */
record IpndmScheduler(int trainTimesteps) implements Scheduler {
    static IpndmScheduler read(SchedulerConfig config) {
        if (config.has("trained_betas")) {
            throw config.unsupported("trained_betas", "a list", "leave it out");
        }
        int timesteps = config.integer("num_train_timesteps", 1000);
        if (timesteps < 2) {
            throw config.unsupported("num_train_timesteps", timesteps, "at least 2 are needed");
        }
        return new IpndmScheduler(timesteps);
    }

    @Override
    public ForwardProcess process() {
        return new ForwardProcess(Prediction.V_PREDICTION, trainTimesteps, null);
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        List<NoiseLevel> levels = new ArrayList<>();
        for (int i = 0; i < steps; i++) {
            double root = Math.sin(Math.PI / 2 * (steps - i) / steps);
            double sigma = root * root;
            double alpha = i == 0 ? 0 : Math.sqrt(1 - sigma * sigma);
            levels.add(new NoiseLevel(alpha, sigma, Math.atan2(sigma, alpha) * 2 / Math.PI));
        }
        return BetaOptions.endingAt(NoiseLevel.CLEAN, levels);
    }

    /** diffusers' first step, from pure noise, takes x for ε and the data for 0. */
    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        Solver solver = Solver.improvedPndm();
        return (denoiser, x, levels, noise, on) ->
                solver.solve(
                        (latents, at) -> {
                            Denoised denoised = denoiser.denoise(latents, at);
                            return at.alpha() == 0
                                    ? new Denoised(denoised.x0().times(0))
                                    : denoised;
                        },
                        x,
                        levels,
                        noise,
                        on);
    }
}
