package dev.darkroom.models.diffusion;

import java.util.ArrayList;
import java.util.List;

/**
 * diffusers' {@code DDIMScheduler}: {@link Samplers#ddim}.
 *
 * @param last the level after timestep 0
 */
record DdimSpec(BetaOptions betas, Clipping clipping, NoiseLevel last) implements BetaSpec {
    static DdimSpec read(SchedulerConfig config) {
        BetaOptions betas =
                BetaOptions.read(config, Spacing.LEADING).withoutFlow(config).withZeroSnr(config);
        return new DdimSpec(
                betas,
                BetaOptions.clipping(config, true),
                config.flag("set_alpha_to_one", true)
                        ? NoiseLevel.CLEAN
                        : betas.schedule().level(0));
    }

    @Override
    public SamplingPlan plan(int steps, SamplingOptions options) {
        options.requireNoneBut("eta clippedNoise");
        BetaOptions.requireSteps(steps, trainTimesteps());
        List<NoiseLevel> from = betas.levels(steps);
        int stride = trainTimesteps() / steps;
        List<NoiseLevel> to = new ArrayList<>();
        for (NoiseLevel at : from) {
            int t = (int) at.timestep() - stride;
            to.add(t >= 0 ? betas.schedule().level(t) : last);
        }
        return new SamplingPlan(
                from,
                to.getLast(),
                1,
                (denoiser, x, noise, on) ->
                        Samplers.ddim(
                                clipping.around(denoiser),
                                x,
                                from,
                                to,
                                options.eta(),
                                options.clippedNoise(),
                                noise,
                                on));
    }
}
