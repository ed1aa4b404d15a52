package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Predictor–corrector sampling of the reverse SDE (Song et al. 2021, arXiv:2011.13456, algorithms 2
 * to 5): at each level some steps of Langevin dynamics, which bring latents to the level's
 * distribution, and one step to the next level.
 */
public final class PredictorCorrector {
    private static final String NAME = "Predictor–corrector sampling";

    /** How a step goes to the next level. */
    public enum Predictor {
        /**
         * The reverse diffusion of equation 46, x' = (2 − a)·x + v·score + √v·z, where a and v are
         * scale and variance of the forward step: for alpha = 1 algorithm 2, for alpha² + sigma² =
         * 1 algorithm 3. Wants many levels.
         */
        REVERSE_DIFFUSION,

        /** Ancestral sampling (appendix F): DDPM's step, and its like for alpha = 1. */
        ANCESTRAL,

        /** The probability-flow ODE, which adds no noise. */
        PROBABILITY_FLOW
    }

    private PredictorCorrector() {}

    /**
     * Samples with corrections of at most sigma², where the score all but vanishes.
     *
     * @see #solve(Denoiser, Tensor, List, Predictor, int, double, double, NoiseSource,
     *     StepListener)
     */
    public static Tensor solve(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            Predictor predictor,
            int corrections,
            double snr,
            NoiseSource noise,
            StepListener on) {
        return solve(denoiser, x, levels, predictor, corrections, snr, 1, noise, on);
    }

    /**
     * Samples. Unlike in the authors' code, where the step of the corrector follows from means over
     * the batch, each sample has its own.
     *
     * @param x latents at the first level {@code [N,C,…]}; left as they are
     * @param levels of any form, with noise in all but the last and data in all but the first
     * @param corrections steps of the corrector at each level, 0 for none
     * @param snr r, how large a correction is beside the noise that it adds; 0.16 there
     * @param most the greatest step of the corrector over sigma², above 0; infinite there
     * @return latents at the last level, in the caller's scope
     * @throws IllegalArgumentException if the levels are others, or a number is out of range
     */
    public static Tensor solve(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            Predictor predictor,
            int corrections,
            double snr,
            double most,
            NoiseSource noise,
            StepListener on) {
        requireCorrections(corrections, snr);
        if (!(most > 0)) {
            throw new IllegalArgumentException(
                    "the greatest step of a corrector is above 0, not " + most);
        }
        Levels.requireNoiseBeforeTheLast(NAME, levels);
        Levels.requireData(NAME, levels);
        try (var walk = new Walk(evaluations(levels, corrections).size(), on)) {
            Tensor latents = x;
            for (int i = 0; i + 1 < levels.size(); i++) {
                NoiseLevel at = levels.get(i);
                for (int k = 0; k < corrections; k++) {
                    try (var scope = TensorScope.open()) {
                        Denoised denoised = denoiser.denoise(latents, at);
                        Tensor moved = corrected(latents, denoised, at, snr, most, noise);
                        latents = walk.moved(scope, at, moved, denoised);
                    }
                }
                try (var scope = TensorScope.open()) {
                    Denoised denoised = denoiser.denoise(latents, at);
                    Tensor moved =
                            predicted(predictor, latents, denoised, at, levels.get(i + 1), noise);
                    latents = walk.moved(scope, at, moved, denoised);
                }
            }
            return walk.end(latents);
        }
    }

    static void requireCorrections(int corrections, double snr) {
        if (corrections < 0 || !(snr > 0 && snr < 1)) {
            throw new IllegalArgumentException(
                    "a corrector takes 0 steps or more with an snr above 0 and below 1, not "
                            + corrections
                            + " and "
                            + snr);
        }
    }

    /** The levels at which {@link #solve} calls the denoiser, in order. */
    static List<NoiseLevel> evaluations(List<NoiseLevel> levels, int corrections) {
        List<NoiseLevel> evaluations = new ArrayList<>();
        for (NoiseLevel at : levels.subList(0, levels.size() - 1)) {
            for (int k = 0; k <= corrections; k++) {
                evaluations.add(at);
            }
        }
        return evaluations;
    }

    /** x + step·score + √(2·step)·z with step = 2·(r·‖z‖/‖score‖)². */
    private static Tensor corrected(
            Tensor x,
            Denoised denoised,
            NoiseLevel at,
            double snr,
            double most,
            NoiseSource noise) {
        Tensor score = denoised.score(x, at);
        Tensor z = noise.drawLike(x);
        double variance = at.sigma() * at.sigma();
        Tensor step =
                norms(z).dividedBy(norms(score).plus(1e-12))
                        .square()
                        .times(2 * snr * snr)
                        .clamp(0, most * variance);
        return x.plus(score.times(step)).plus(z.times(step.times(2).sqrt()));
    }

    /** The norm of each sample {@code [N,1,…]}. */
    private static Tensor norms(Tensor x) {
        var dims = new int[x.rank() - 1];
        Arrays.setAll(dims, i -> i + 1);
        return x.norm(true, dims);
    }

    private static Tensor predicted(
            Predictor predictor,
            Tensor x,
            Denoised denoised,
            NoiseLevel at,
            NoiseLevel next,
            NoiseSource noise) {
        return switch (predictor) {
            case REVERSE_DIFFUSION -> {
                double v = at.varianceGiven(next);
                Tensor mean = x.times(2 - at.alpha() / next.alpha()).plus(denoised.score(x, at), v);
                yield next.sigma() == 0 ? mean : mean.plus(noise.drawLike(x), Math.sqrt(v));
            }
            case ANCESTRAL ->
                    Solvers.ancestral(denoised.x0(), denoised.noise(x, at), at, next, 1, noise);
            case PROBABILITY_FLOW -> next.noised(denoised.x0(), denoised.noise(x, at));
        };
    }
}
