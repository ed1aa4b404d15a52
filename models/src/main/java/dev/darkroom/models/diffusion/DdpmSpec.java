package dev.darkroom.models.diffusion;

import java.util.List;

/** diffusers' {@code DDPMScheduler}: {@link Samplers#ddpm}. */
record DdpmSpec(BetaOptions betas, Clipping clipping, ReverseVariance variance)
        implements BetaSpec {
    static DdpmSpec read(SchedulerConfig config) {
        return new DdpmSpec(
                BetaOptions.read(config, Spacing.LEADING).withoutFlow(config).withZeroSnr(config),
                BetaOptions.clipping(config, true),
                variance(config));
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
    public SamplingPlan plan(int steps, SamplingOptions options) {
        options.requireNoneBut("");
        BetaOptions.requireSteps(steps, trainTimesteps());
        List<NoiseLevel> at = betas.levels(steps);
        List<NoiseLevel> levels = BetaOptions.endingAt(NoiseLevel.CLEAN, at);
        return new SamplingPlan(
                at,
                NoiseLevel.CLEAN,
                1,
                (denoiser, x, noise, on) ->
                        Samplers.ddpm(clipping.around(denoiser), x, levels, variance, noise, on));
    }
}
