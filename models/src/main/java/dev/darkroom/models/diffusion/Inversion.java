package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayList;
import java.util.List;

/**
 * Inversion: from data along the probability-flow ODE to the noise that a deterministic sampler
 * makes them of (Song et al. 2021, arXiv:2010.02502, section 4.3; Dhariwal and Nichol 2021,
 * arXiv:2105.05233, appendix F).
 */
public final class Inversion {
    private Inversion() {}

    /**
     * The latents from which {@link Solvers#euler} or {@link Solvers#ddim} without fresh noise
     * comes back to x along the same levels.
     *
     * <p>One step of theirs, from a level t to a cleaner one s, is x_s = a·x_t + b·x̂0(x_t) with a
     * = sigma_s/sigma_t and b = alpha_s − alpha_t·a. Inverted, x_t stands on both sides. It is
     * approached by Newton's method with the slope that Gaussian data of variance 1 would have,
     * which are inverted exactly by its first guess. (Pan et al. 2023, arXiv:2309.04907, iterate
     * x_t = (x_s + (…)·ε̂(x_t)), which is slow where there is much noise.)
     *
     * @param x data {@code [N,C,…]}; left as they are
     * @param levels of any form, from the cleanest to the noisiest, with noise in all but the first
     *     and data in all but the last
     * @param iterations evaluations in each step, at least 1
     * @return latents at the last level, in the caller's scope
     * @throws IllegalArgumentException if the levels are others, or one step leads from clean data
     *     to pure noise
     */
    public static Tensor solve(
            Denoiser denoiser, Tensor x, List<NoiseLevel> levels, int iterations, StepListener on) {
        requireIterations(iterations);
        Levels.requireNoiseBeforeTheLast("Inversion", levels.reversed());
        Levels.requireData("Inversion", levels.reversed());
        try (var walk = new Walk(evaluations(levels, iterations).size(), on)) {
            Tensor latents = x;
            for (int i = 1; i < levels.size(); i++) {
                NoiseLevel from = levels.get(i - 1);
                NoiseLevel to = levels.get(i);
                double a = from.sigma() / to.sigma();
                double b = from.alpha() - to.alpha() * a;
                double slope = a + b * gaussianSlope(to);
                if (slope == 0) {
                    throw new IllegalArgumentException(
                            "one step from clean data to pure noise can't be inverted; take more");
                }
                try (var step = TensorScope.open()) {
                    Tensor guess = latents.dividedBy(slope);
                    for (int k = 1; k <= iterations; k++) {
                        try (var iteration = TensorScope.open()) {
                            Denoised denoised = denoiser.denoise(guess, to);
                            Tensor back = guess.times(a).plus(denoised.x0(), b);
                            Tensor better = guess.plus(latents.minus(back), 1 / slope);
                            if (k == iterations) {
                                iteration.keep(better);
                                latents = walk.moved(step, to, better, denoised);
                            } else {
                                guess = iteration.keep(walk.evaluated(to, better, denoised));
                            }
                        }
                    }
                }
            }
            return walk.end(latents);
        }
    }

    /** The levels at which {@link #solve} calls the denoiser, in order. */
    static List<NoiseLevel> evaluations(List<NoiseLevel> levels, int iterations) {
        List<NoiseLevel> evaluations = new ArrayList<>();
        for (NoiseLevel to : levels.subList(1, levels.size())) {
            for (int k = 0; k < iterations; k++) {
                evaluations.add(to);
            }
        }
        return evaluations;
    }

    static void requireIterations(int iterations) {
        if (iterations < 1) {
            throw new IllegalArgumentException(
                    "inversion takes at least one evaluation in each step, not " + iterations);
        }
    }

    /** dx̂0/dx for normally distributed data of variance 1. */
    private static double gaussianSlope(NoiseLevel at) {
        return at.alpha() / (at.alpha() * at.alpha() + at.sigma() * at.sigma());
    }
}
