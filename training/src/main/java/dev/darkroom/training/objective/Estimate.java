package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.runtime.Tensor;

import java.util.List;

/**
 * x̂0 and ε̂ of a batch whose samples have levels of their own, with alpha² + sigma² = 1.
 *
 * @param x0 {@code [N,C,…]}
 * @param epsilon {@code [N,C,…]}
 */
record Estimate(Tensor x0, Tensor epsilon) {
    /**
     * Returns what a network's output stands for.
     *
     * @param output {@code [N,C,…]}
     * @param x what the network was shown {@code [N,C,…]}
     */
    static Estimate of(Prediction prediction, Tensor output, Tensor x, List<NoiseLevel> at) {
        Tensor alpha = Batches.column(x, at, NoiseLevel::alpha);
        Tensor sigma = Batches.column(x, at, NoiseLevel::sigma);
        return new Estimate(
                prediction.denoised(output, x, alpha, sigma),
                prediction.noise(output, x, alpha, sigma));
    }
}
