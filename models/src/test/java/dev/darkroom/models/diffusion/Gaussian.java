package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;

/**
 * Data that are normally distributed, for which everything is known in closed form.
 *
 * @param mean of every element
 * @param deviation of every element
 */
record Gaussian(double mean, double deviation) {
    /** The exact denoiser: E[x0 | x]. */
    Denoiser denoiser() {
        return (x, at) -> {
            double weight = at.alpha() * deviation * deviation / variance(at);
            return new Denoised(x.plus(-at.alpha() * mean).times(weight).plus(mean));
        };
    }

    /** The exact solution of the probability-flow ODE: quantiles stay quantiles. */
    Tensor transport(Tensor x, NoiseLevel from, NoiseLevel to) {
        return x.plus(-from.alpha() * mean)
                .times(Math.sqrt(variance(to) / variance(from)))
                .plus(to.alpha() * mean);
    }

    /** Latents at a level, from standard normal noise. */
    Tensor marginal(Tensor noise, NoiseLevel at) {
        return noise.times(Math.sqrt(variance(at))).plus(at.alpha() * mean);
    }

    /** The exact variance of x at a cleaner level, given x. */
    double reverseVariance(NoiseLevel at, NoiseLevel cleaner) {
        double beta = at.varianceGiven(cleaner);
        double step = at.alpha() / cleaner.alpha();
        return variance(cleaner) * beta / (beta + step * step * variance(cleaner));
    }

    private double variance(NoiseLevel at) {
        double data = at.alpha() * deviation;
        return data * data + at.sigma() * at.sigma();
    }

    /** {@code steps} + 1 levels, made from 0 (first) to 1 (last). */
    static List<NoiseLevel> levels(int steps, DoubleFunction<NoiseLevel> at) {
        List<NoiseLevel> levels = new ArrayList<>();
        for (int i = 0; i <= steps; i++) {
            levels.add(at.apply((double) i / steps));
        }
        return levels;
    }

    /**
     * The same with two levels more after the first, so near to it that a multistep method whose
     * first steps have lower orders has its own: steps of h², h^(4/3) and h.
     */
    static List<NoiseLevel> startingFine(int steps, DoubleFunction<NoiseLevel> at) {
        List<NoiseLevel> levels = new ArrayList<>(levels(steps, at));
        double h = 1.0 / steps;
        levels.addAll(1, List.of(at.apply(h * h), at.apply(Math.pow(h, 4.0 / 3))));
        return levels;
    }

    /** Sigma from 10 to 0.1, alpha = 1. */
    static List<NoiseLevel> exploding(int steps) {
        return levels(steps, Gaussian::exploding);
    }

    static NoiseLevel exploding(double u) {
        return NoiseLevel.varianceExploding(10 * Math.pow(0.01, u), 1000 * (1 - u));
    }

    /** On the circle alpha² + sigma² = 1. */
    static List<NoiseLevel> preserving(int steps) {
        return levels(steps, Gaussian::preserving);
    }

    static NoiseLevel preserving(double u) {
        double angle = 1.5 - 1.4 * u;
        return new NoiseLevel(Math.cos(angle), Math.sin(angle), 1000 * (1 - u));
    }

    /** On the line alpha + sigma = 1. */
    static List<NoiseLevel> flow(int steps) {
        return levels(steps, Gaussian::flow);
    }

    static NoiseLevel flow(double u) {
        return NoiseLevel.flow(0.98 - 0.95 * u, 1000 * (1 - u));
    }

    /** Levels with one without noise after them. */
    static List<NoiseLevel> endingClean(List<NoiseLevel> levels) {
        List<NoiseLevel> all = new ArrayList<>(levels);
        all.add(NoiseLevel.CLEAN);
        return all;
    }
}
