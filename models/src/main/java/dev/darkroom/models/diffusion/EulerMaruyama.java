package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.List;
import java.util.function.ToDoubleFunction;

/** The simplest solver of the reverse SDE. Wants many steps. */
public final class EulerMaruyama {
    private EulerMaruyama() {}

    /**
     * The method of Euler and Maruyama on the reverse SDE (Song et al. 2021, arXiv:2011.13456,
     * section 4.1): x' = x + (g²·score − f·x)·dt + g·√dt·z, without noise in a step to clean data.
     * Weak order 1.
     *
     * @param x latents at the first level {@code [N,C,…]}; left as they are
     * @param levels of the SDE, with noise in all but the last
     * @param time t of a level
     * @param dt by how much t falls in each step, above 0
     * @return latents at the last level, in the caller's scope
     * @throws IllegalArgumentException if the levels or the step are others
     */
    public static Tensor solve(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            Sde sde,
            ToDoubleFunction<NoiseLevel> time,
            double dt,
            NoiseSource noise,
            StepListener on) {
        requireStep(dt);
        Levels.requireNoiseBeforeTheLast("The method of Euler and Maruyama", levels);
        return Walk.along(
                denoiser,
                x,
                levels,
                on,
                (xi, denoised, at, next) -> {
                    double t = time.applyAsDouble(at);
                    double g = sde.diffusion(t);
                    Tensor mean =
                            xi.times(1 - sde.drift(t) * dt)
                                    .plus(denoised.noise(xi, at), -g * g * dt / at.sigma());
                    return next.sigma() == 0
                            ? mean
                            : mean.plus(noise.drawLike(xi), g * Math.sqrt(dt));
                });
    }

    static void requireStep(double dt) {
        if (!(dt > 0) || Double.isInfinite(dt)) {
            throw new IllegalArgumentException("a step in time is above 0, not " + dt);
        }
    }
}
