package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.Consistency;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.ForwardProcess;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.Solvers;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' {@code CMStochasticIterativeScheduler}: {@link Solvers#consistency}, over noise levels
 * of Karras et al. 2022, arXiv:2206.00364, equation 5.
 *
 * @param trainTimesteps levels that the student was distilled on, of which sampling takes some
 * @param sigmaMin the level at which the model is the identity
 * @param rho how much closer the levels are at the end
 * @param noiseScale {@code s_noise}, what fresh noise is multiplied by
 */
record ConsistencyScheduler(
        int trainTimesteps,
        double sigmaMin,
        double sigmaMax,
        double sigmaData,
        double rho,
        double noiseScale,
        boolean clips)
        implements Scheduler {
    /** The class's name. */
    static final String CLASS = "CMStochasticIterativeScheduler";

    static ConsistencyScheduler read(SchedulerConfig config) {
        int trainTimesteps = config.integer("num_train_timesteps", 40);
        if (trainTimesteps < 2) {
            throw config.unsupported(
                    "num_train_timesteps", trainTimesteps, "it must be 2 at least");
        }
        double sigmaMin = positive(config, "sigma_min", 0.002);
        double sigmaMax = positive(config, "sigma_max", 80);
        if (sigmaMin >= sigmaMax) {
            throw config.unsupported(
                    "sigma_min", sigmaMin, "it must be less than sigma_max = " + sigmaMax);
        }
        return new ConsistencyScheduler(
                trainTimesteps,
                sigmaMin,
                sigmaMax,
                positive(config, "sigma_data", 0.5),
                positive(config, "rho", 7),
                config.number("s_noise", 1),
                config.flag("clip_denoised", true));
    }

    private static double positive(SchedulerConfig config, String name, double missing) {
        double value = config.number(name, missing);
        if (!(value > 0)) {
            throw config.unsupported(name, value, "it must be above 0");
        }
        return value;
    }

    /** What the network predicts becomes x̂0 in {@link Consistency#boundary}. */
    @Override
    public ForwardProcess process() {
        return new ForwardProcess(Prediction.SAMPLE, trainTimesteps, null);
    }

    @Override
    public String taken() {
        return "levels";
    }

    @Override
    public double initialScale(List<NoiseLevel> levels) {
        return sigmaMax;
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        List<Integer> given = given(arguments.levels(), steps);
        List<NoiseLevel> levels = new ArrayList<>();
        int stride = trainTimesteps / steps;
        for (int i = 0; i < steps; i++) {
            // Timestep 0 stands for the most noise, and diffusers turns given ones round.
            levels.add(level(given.isEmpty() ? i * stride : given.get(steps - 1 - i)));
        }
        levels.add(NoiseLevel.varianceExploding(sigmaMin, 0)); // the identity, and no more noise
        return levels;
    }

    private List<Integer> given(@Nullable LevelChoice levels, int steps) {
        if (levels == null) {
            return List.of();
        }
        if (levels.timesteps().isEmpty()) {
            throw new IllegalArgumentException(
                    "a consistency model has noise levels of its own, of which timesteps take"
                            + " some");
        }
        List<Integer> given = levels.timesteps().stream().map(Double::intValue).toList();
        requireTimesteps(given, steps);
        return given;
    }

    private void requireTimesteps(List<Integer> given, int steps) {
        boolean descend = given.size() == steps;
        for (int i = 0; i < given.size(); i++) {
            int most = i == 0 ? trainTimesteps : given.get(i - 1);
            descend &= given.get(i) >= 0 && given.get(i) < most;
        }
        if (!descend) {
            throw new IllegalArgumentException(
                    "the timesteps of "
                            + steps
                            + " steps are as many numbers that fall from "
                            + (trainTimesteps - 1)
                            + " at most to 0 at least, not "
                            + given);
        }
    }

    private NoiseLevel level(int timestep) {
        double most = Math.pow(sigmaMax, 1 / rho);
        double least = Math.pow(sigmaMin, 1 / rho);
        double share = (double) timestep / (trainTimesteps - 1);
        double sigma = Math.pow(most + share * (least - most), rho);
        return NoiseLevel.varianceExploding((float) sigma, 250 * Math.log(sigma));
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        Clipping clipping = clips ? Clipping.range(1) : Clipping.NONE;
        return (denoiser, x, levels, noise, on) -> {
            Denoiser consistency = Consistency.boundary(denoiser, sigmaData, sigmaMin, clipping);
            return Solvers.consistency(
                    levels.size() == 2 ? consistency : drawing(consistency, levels, noise),
                    x,
                    levels,
                    sigmaMin,
                    scaled(noise),
                    on);
        };
    }

    /** As in diffusers, noise is drawn in the last of several steps too, where it has no weight. */
    static Denoiser drawing(Denoiser consistency, List<NoiseLevel> levels, NoiseSource noise) {
        NoiseLevel last = levels.get(levels.size() - 2);
        return (x, at) -> {
            Denoised denoised = consistency.denoise(x, at);
            if (at.equals(last)) {
                noise.drawLike(x).close();
            }
            return denoised;
        };
    }

    private NoiseSource scaled(NoiseSource noise) {
        return noiseScale == 1
                ? noise
                : (shape, dtype, device) -> noise.draw(shape, dtype, device).times(noiseScale);
    }
}
