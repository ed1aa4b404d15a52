package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.Consistency;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.Solvers;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' {@code LCMScheduler}: {@link Solvers#lcm}.
 *
 * @param originalSteps how many timesteps the student was distilled on; sampling takes some of them
 * @param timestepScaling see {@link Consistency#boundary}
 */
record LcmScheduler(BetaOptions betas, Clipping clipping, int originalSteps, double timestepScaling)
        implements BetaScheduler {
    static LcmScheduler read(SchedulerConfig config) {
        // timestep_spacing, steps_offset and set_alpha_to_one have no effect in diffusers either.
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LEADING, 0.00085, 0.012, "scaled_linear")
                        .withoutFlow(config)
                        .withZeroSnr(config);
        int original = config.integer("original_inference_steps", 50);
        if (original < 1 || original > betas.trainTimesteps()) {
            throw config.unsupported(
                    "original_inference_steps",
                    original,
                    "it must be from 1 to num_train_timesteps = " + betas.trainTimesteps());
        }
        return new LcmScheduler(
                betas,
                BetaOptions.clipping(config, false),
                original,
                config.number("timestep_scaling", 10));
    }

    @Override
    public int mostSteps() {
        return originalSteps;
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        int stride = trainTimesteps() / originalSteps;
        int used = (int) (originalSteps * arguments.strength());
        if (steps > used) {
            throw new IllegalArgumentException(
                    "a strength of "
                            + arguments.strength()
                            + " leaves "
                            + used
                            + " of the "
                            + originalSteps
                            + " timesteps that the student was made with, too few for "
                            + steps
                            + " steps; use fewer steps or more strength");
        }
        List<NoiseLevel> at = new ArrayList<>();
        for (int i = 0; i < steps; i++) {
            int skipped = (int) (i * ((double) used / steps));
            at.add(betas.schedule().level((used - skipped) * stride - 1));
        }
        return BetaOptions.endingAt(NoiseLevel.CLEAN, at);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return Solver.lcm(timestepScaling);
    }

    @Override
    public String taken() {
        return SchedulerArguments.STRENGTH;
    }
}
