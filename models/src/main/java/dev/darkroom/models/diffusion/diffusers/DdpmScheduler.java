package dev.darkroom.models.diffusion.diffusers;

import dev.darkroom.models.diffusion.Clipping;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.ReverseVariance;
import dev.darkroom.models.diffusion.Solver;
import dev.darkroom.models.diffusion.Solvers;

import java.util.List;

/**
 * diffusers' {@code DDPMScheduler}, {@code DDPMParallelScheduler} and {@code UnCLIPScheduler}:
 * {@link Solvers#ddpm}.
 */
record DdpmScheduler(BetaOptions betas, Clipping clipping, ReverseVariance variance)
        implements BetaScheduler {
    private static final String COSINE = "squaredcos_cap_v2";

    static DdpmScheduler read(SchedulerConfig config) {
        return new DdpmScheduler(
                BetaOptions.read(config, Spacing.LEADING).withoutFlow(config).withZeroSnr(config),
                BetaOptions.clipping(config, true),
                variance(config));
    }

    /** Reads an {@code UnCLIPScheduler}: a cosine schedule, from the last timestep to 0. */
    static DdpmScheduler readUnClip(SchedulerConfig config) {
        String schedule = config.text("beta_schedule", COSINE);
        if (!schedule.equals(COSINE)) {
            throw config.unsupported("beta_schedule", schedule, "it must be " + COSINE);
        }
        BetaOptions read =
                BetaOptions.read(config, Spacing.LINSPACE, 0.0001, 0.02, COSINE)
                        .withoutFlow(config);
        var betas = new BetaOptions(read.schedule(), Spacing.LINSPACE, 0, read.prediction());
        return new DdpmScheduler(betas, BetaOptions.clip(config, true), variance(config));
    }

    private static ReverseVariance variance(SchedulerConfig config) {
        String name = config.text("variance_type", "fixed_small");
        return switch (name) {
            // diffusers' two ways to the same standard deviation.
            case "fixed_small", "fixed_small_log" -> ReverseVariance.FIXED_SMALL;
            case "fixed_large" -> ReverseVariance.FIXED_LARGE;
            case "learned" -> ReverseVariance.LEARNED;
            case "learned_range" -> ReverseVariance.LEARNED_RANGE;
            default ->
                    throw config.unsupported(
                            "variance_type",
                            name,
                            "use fixed_small, fixed_small_log, fixed_large, learned or"
                                    + " learned_range");
        };
    }

    @Override
    public List<NoiseLevel> levels(int steps, SchedulerArguments arguments) {
        return arguments.levels() == null
                ? BetaOptions.endingAt(NoiseLevel.CLEAN, betas.levels(steps))
                : betas.given(arguments.levels(), steps, NoiseLevel.CLEAN);
    }

    @Override
    public Solver solver(int steps, SchedulerArguments arguments) {
        return Solver.ddpm(variance);
    }

    @Override
    public String taken() {
        return "levels";
    }
}
