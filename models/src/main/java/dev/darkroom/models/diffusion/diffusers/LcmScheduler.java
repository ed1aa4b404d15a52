package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.Consistency;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.Solvers;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' schedulers of students that take large steps: {@code LCMScheduler} ({@link
 * Solvers#lcm}) and {@code TCDScheduler} ({@link Solvers#tcd}).
 *
 * @param originalSteps how many timesteps the student was distilled on; sampling takes some of them
 * @param timestepScaling see {@link Consistency#boundary}; null for TCD, which has no boundary
 */
record LcmScheduler(
        BetaOptions betas, Clipping clipping, int originalSteps, @Nullable Double timestepScaling)
        implements BetaScheduler {
    /** TCD's gamma where a call has no eta. */
    static final double TCD_GAMMA = 0.3;

    static LcmScheduler read(SchedulerConfig config) {
        return read(
                config, BetaOptions.clipping(config, false), config.number("timestep_scaling", 10));
    }

    static LcmScheduler readTcd(SchedulerConfig config) {
        return read(config, Clipping.NONE, null); // diffusers' clips nothing either
    }

    private static LcmScheduler read(
            SchedulerConfig config, Clipping clipping, @Nullable Double timestepScaling) {
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
        return new LcmScheduler(betas, clipping, original, timestepScaling);
    }

    @Override
    public int mostSteps() {
        return originalSteps;
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        NoiseLevel end = timestepScaling == null ? betas.schedule().level(0) : NoiseLevel.CLEAN;
        if (arguments.levels() != null) {
            return betas.given(arguments.levels(), steps, end);
        }
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
        return BetaOptions.endingAt(end, at);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return timestepScaling == null
                ? Solver.tcd(
                        arguments.eta(TCD_GAMMA),
                        (level, share) -> betas.schedule().level((int) (share * level.timestep())))
                : Solver.lcm(timestepScaling);
    }

    @Override
    public String taken() {
        return SchedulerArguments.STRENGTH + (timestepScaling == null ? " eta levels" : " levels");
    }
}
