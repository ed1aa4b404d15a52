package dev.darkroom.models.diffusion;

import java.util.List;
import java.util.function.Predicate;

/** What samplers require of the noise levels that they are given. */
final class Levels {
    private static final double TOLERANCE = 1e-6;

    private static final String VARIANCE_EXPLODING = "alpha = 1 (variance exploding)";

    private Levels() {}

    /**
     * Requires noise at every level but the last: where there is none, what is left of x without
     * x̂0 says nothing about ε.
     *
     * @throws IllegalArgumentException if sigma is 0 at one
     */
    static void requireNoiseBeforeTheLast(String solver, List<NoiseLevel> levels) {
        Walk.requireLevels(levels);
        requireNoise(solver, levels.subList(0, levels.size() - 1));
    }

    /**
     * Requires noise at every level.
     *
     * @throws IllegalArgumentException if sigma is 0 at one
     */
    static void requireNoise(String solver, List<NoiseLevel> levels) {
        requireEach(solver, levels, level -> level.sigma() > 0, "sigma > 0 where it evaluates");
    }

    /**
     * Requires data at every level but the first.
     *
     * @throws IllegalArgumentException if alpha is 0 at one
     */
    static void requireData(String solver, List<NoiseLevel> levels) {
        requireEach(
                solver,
                levels.subList(1, levels.size()),
                level -> level.alpha() > 0,
                "alpha > 0 after the first");
    }

    /**
     * Requires levels of variance-exploding form, alpha = 1.
     *
     * @throws IllegalArgumentException if one is of another
     */
    static void requireVarianceExploding(String solver, List<NoiseLevel> levels) {
        requireEach(solver, levels, Levels::isVarianceExploding, VARIANCE_EXPLODING);
    }

    /**
     * Requires levels of flow matching, alpha + sigma = 1.
     *
     * @throws IllegalArgumentException if one is of another form
     */
    static void requireFlow(String solver, List<NoiseLevel> levels) {
        requireEach(solver, levels, Levels::isFlow, "alpha + sigma = 1 (flow matching)");
    }

    /**
     * Requires data at every level: without, the noise-to-signal ratio is infinite.
     *
     * @throws IllegalArgumentException if alpha is 0 at one
     */
    static void requireDataEverywhere(String solver, List<NoiseLevel> levels) {
        requireEach(
                solver,
                levels,
                level -> level.alpha() > 0,
                "alpha > 0 (it can't start from pure noise)");
    }

    /** Whether all levels have alpha = 1. */
    static boolean areVarianceExploding(List<NoiseLevel> levels) {
        return levels.stream().allMatch(Levels::isVarianceExploding);
    }

    /**
     * Whether all levels have alpha = 1, or all alpha + sigma = 1: on both, the probability-flow
     * ODE is dx/dσ = (x − x̂0)/σ.
     */
    static boolean areStraight(List<NoiseLevel> levels) {
        return areVarianceExploding(levels) || levels.stream().allMatch(Levels::isFlow);
    }

    /**
     * The level of a noise-to-signal ratio near two others, of their form: with alpha = 1, on the
     * line of flow matching, or of the scale of the first. Its timestep is linear in sigma on a
     * flow and elsewhere in the ratio's logarithm, and not beyond the first one's.
     *
     * @param at the noisier of the two
     */
    static NoiseLevel between(NoiseLevel at, NoiseLevel next, double ratio) {
        boolean flow = isFlow(at) && !isVarianceExploding(at);
        double scale = flow ? 1 / (1 + ratio) : isVarianceExploding(at) ? 1 : scale(at, ratio);
        double sigma = ratio * scale;
        double share =
                flow || next.sigma() == 0
                        ? (at.sigma() - sigma) / (at.sigma() - next.sigma())
                        : Math.log(at.noiseToSignal() / ratio)
                                / Math.log(at.noiseToSignal() / next.noiseToSignal());
        double timestep = at.timestep() + Math.max(0, share) * (next.timestep() - at.timestep());
        return new NoiseLevel(scale, sigma, timestep);
    }

    private static double scale(NoiseLevel level, double ratio) {
        return Math.hypot(level.alpha(), level.sigma()) / Math.hypot(1, ratio);
    }

    private static void requireEach(
            String solver, List<NoiseLevel> levels, Predicate<NoiseLevel> form, String name) {
        for (NoiseLevel level : levels) {
            if (!form.test(level)) {
                throw new IllegalArgumentException(
                        solver + " needs levels with " + name + ", not " + level);
            }
        }
    }

    private static boolean isVarianceExploding(NoiseLevel level) {
        return Math.abs(level.alpha() - 1) <= TOLERANCE;
    }

    /** Whether alpha + sigma = 1. */
    static boolean isFlow(NoiseLevel level) {
        return Math.abs(level.alpha() + level.sigma() - 1) <= TOLERANCE;
    }
}
