package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.List;
import java.util.function.DoubleFunction;

/**
 * The probability-flow ODE (Song et al. 2021, arXiv:2011.13456, equation 13) with a step size that
 * follows the error (appendix D.4 there).
 *
 * <p>Whatever the levels, y = x/(alpha + sigma) is a straight line of s = sigma/(alpha + sigma) for
 * each pair of data and noise, so that dy/ds = (y − x̂0)/s, from pure noise at s = 1 on.
 */
public final class ProbabilityFlow {
    private static final String NAME = "RK45";

    private ProbabilityFlow() {}

    /**
     * Solves with Dormand's and Prince's method from each level to the next. To a last level
     * without noise, it goes by x̂0.
     *
     * @param x latents at the first level {@code [N,C,…]}; left as they are
     * @param levels of any form, with noise in all but the last
     * @param rtol the error of a step, relative to values and to 1
     * @param level the level of a noise-to-signal ratio between two of them; null for one whose
     *     timestep is linear in s
     * @param on is called once from level to level, however many evaluations that takes
     * @return latents at the last level, in the caller's scope
     * @throws IllegalArgumentException if the levels are others, or rtol is not above 0 and below 1
     */
    public static Tensor rk45(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            double rtol,
            @Nullable DoubleFunction<NoiseLevel> level,
            StepListener on) {
        Levels.requireNoiseBeforeTheLast(NAME, levels);
        var method = new DormandPrince(rtol);
        boolean exploding = Levels.areVarianceExploding(levels);
        return Walk.along(
                denoiser,
                x,
                levels,
                on,
                (xi, denoised, at, next) -> {
                    if (next.sigma() == 0) {
                        return denoised.x0().times(next.alpha());
                    }
                    double from = share(at);
                    double to = share(next);
                    Tensor y = xi.dividedBy(at.alpha() + at.sigma());
                    Tensor first = y.minus(denoised.x0()).dividedBy(from);
                    DormandPrince.Slope slope =
                            (s, each) -> {
                                NoiseLevel here =
                                        level == null || s == 1
                                                ? between(at, next, s, exploding)
                                                : level.apply(s / (1 - s));
                                try (var scope = TensorScope.open()) {
                                    Tensor latents = each.times(here.alpha() + here.sigma());
                                    Tensor x0 = denoiser.denoise(latents, here).x0();
                                    return scope.keep(each.minus(x0).dividedBy(s));
                                }
                            };
                    return method.advance(slope, y, first, from, to)
                            .times(next.alpha() + next.sigma());
                });
    }

    private static double share(NoiseLevel at) {
        return at.sigma() / (at.alpha() + at.sigma());
    }

    /** The level of a share of noise, of the form of its neighbours. */
    private static NoiseLevel between(NoiseLevel at, NoiseLevel next, double s, boolean exploding) {
        double scale =
                exploding
                        ? 1 / (1 - s)
                        : Levels.isFlow(at) && Levels.isFlow(next) ? 1 : 1 / Math.hypot(1 - s, s);
        double passed = share(at) == share(next) ? 0 : (share(at) - s) / (share(at) - share(next));
        double timestep = at.timestep() + passed * (next.timestep() - at.timestep());
        return new NoiseLevel((1 - s) * scale, s * scale, timestep);
    }
}
