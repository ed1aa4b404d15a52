package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.List;

/** Sampling by the score alone. */
public final class Langevin {
    private Langevin() {}

    /**
     * Annealed Langevin dynamics (Song and Ermon 2019, arXiv:1907.05600, algorithm 1): at each
     * level, steps x + α/2·score + √α·z with α = stepSize·sigma²/sigma_L². Draws noise in every
     * step.
     *
     * @param x latents at the first level {@code [N,C,…]}
     * @param levels with alpha = 1, the last the least, sigma &gt; 0 in all
     * @param stepsPerLevel T; 100 there
     * @param stepSize ε, α at the last level; 2e-5 for a sigma_L of 0.01 there
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
        Levels.requireNoise("Langevin dynamics", levels);
        Levels.requireVarianceExploding("Langevin dynamics", levels);
        double least = levels.getLast().sigma();
        try (var walk = new Walk(levels.size() * stepsPerLevel, on)) {
            Tensor latents = x;
            for (NoiseLevel at : levels) {
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
            return walk.end(latents);
        }
    }
}
