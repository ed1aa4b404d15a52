package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Sampling by the score alone. */
public final class Langevin {
    private Langevin() {}

    /**
     * Annealed Langevin dynamics (Song and Ermon 2019, arXiv:1907.05600, algorithm 1): at each
     * level, steps x + α/2·score + √α·z with α = stepSize·sigma²/sigma_L². Draws noise in every
     * step. To a last level without noise, it goes by x̂0 (Jolicoeur-Martineau et al. 2020,
     * arXiv:2009.05475, section 3.1).
     *
     * @param x latents at the first level {@code [N,C,…]}
     * @param levels with alpha = 1, the last the least, with noise in all but the last
     * @param stepsPerLevel T; 100 there
     * @param stepSize ε, α at the last level with noise; 2e-5 for a sigma_L of 0.01 there
     * @return latents at the last level, in the caller's scope
     */
    public static Tensor annealed(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            int stepsPerLevel,
            double stepSize,
            NoiseSource noise,
            StepListener on) {
        if (levels.isEmpty() || stepsPerLevel < 1 || !(stepSize > 0)) {
            throw new IllegalArgumentException(
                    "Langevin dynamics needs at least one level and one step of positive size, not "
                            + levels.size()
                            + ", "
                            + stepsPerLevel
                            + " and "
                            + stepSize);
        }
        List<NoiseLevel> noisy = noisy(levels);
        Levels.requireNoise("Langevin dynamics", noisy);
        Levels.requireVarianceExploding("Langevin dynamics", levels);
        double least = noisy.getLast().sigma();
        try (var walk = new Walk(evaluations(levels, stepsPerLevel).size(), on)) {
            Tensor latents = x;
            for (NoiseLevel at : noisy) {
                double alpha = stepSize * Math.pow(at.sigma() / least, 2);
                for (int step = 0; step < stepsPerLevel; step++) {
                    try (var scope = TensorScope.open()) {
                        Denoised denoised = denoiser.denoise(latents, at);
                        double towards = alpha / 2 / (at.sigma() * at.sigma());
                        Tensor moved =
                                latents.plus(denoised.x0().minus(latents), towards)
                                        .plus(noise.drawLike(latents), Math.sqrt(alpha));
                        latents = walk.moved(scope, at, moved, denoised);
                    }
                }
            }
            if (noisy.size() < levels.size()) {
                try (var scope = TensorScope.open()) {
                    Denoised denoised = denoiser.denoise(latents, noisy.getLast());
                    latents = walk.moved(scope, noisy.getLast(), denoised.x0(), denoised);
                }
            }
            return walk.end(latents);
        }
    }

    /** The levels at which {@link #annealed} calls the denoiser, in order. */
    static List<NoiseLevel> evaluations(List<NoiseLevel> levels, int stepsPerLevel) {
        List<NoiseLevel> noisy = noisy(levels);
        List<NoiseLevel> evaluations = new ArrayList<>();
        for (NoiseLevel at : noisy) {
            evaluations.addAll(Collections.nCopies(stepsPerLevel, at));
        }
        if (noisy.size() < levels.size()) {
            evaluations.add(noisy.getLast());
        }
        return evaluations;
    }

    private static List<NoiseLevel> noisy(List<NoiseLevel> levels) {
        int last = levels.size() - 1;
        return last > 0 && levels.get(last).sigma() == 0 ? levels.subList(0, last) : levels;
    }
}
