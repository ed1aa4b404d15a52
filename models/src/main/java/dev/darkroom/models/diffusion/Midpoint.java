package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleFunction;

/**
 * The midpoint method on the probability-flow ODE over the noise-to-signal ratio, with the midpoint
 * in its logarithm: DPM-Solver-2 (Lu et al. 2022, arXiv:2206.00927, algorithm 1) as the second
 * order of Karras et al. 2022 (arXiv:2206.00364, algorithm 3) has it, k-diffusion's DPM2. The
 * ancestral one goes to less noise than the next level has, and adds fresh noise up to it.
 *
 * @param ancestral whether noise is added in each step
 * @param level of a noise-to-signal ratio between others; null for the line between its neighbours
 */
record Midpoint(boolean ancestral, @Nullable DoubleFunction<NoiseLevel> level) implements Solver {
    private static final String NAME = "The midpoint method";

    /**
     * {@inheritDoc}
     *
     * <p>Two evaluations per step but one in a step from pure noise or to no noise; order 2 without
     * noise.
     */
    @Override
    public Tensor solve(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            NoiseSource noise,
            StepListener on) {
        Levels.requireNoiseBeforeTheLast(NAME, levels);
        Levels.requireData(NAME, levels);
        try (var walk = new Walk(evaluations(levels).size(), on)) {
            Tensor latents = x;
            for (int i = 0; i + 1 < levels.size(); i++) {
                NoiseLevel at = levels.get(i);
                NoiseLevel next = levels.get(i + 1);
                NoiseLevel middle = middle(at, next);
                try (var scope = TensorScope.open()) {
                    Denoised denoised = denoiser.denoise(latents, at);
                    Tensor epsilon = denoised.noise(latents, at);
                    if (middle == null) {
                        Tensor moved = next.noised(denoised.x0(), epsilon);
                        latents = walk.moved(scope, at, moved, denoised);
                        continue;
                    }
                    Tensor guess = along(latents, epsilon, at, middle, middle.noiseToSignal());
                    walk.evaluated(at, guess, denoised);
                    Denoised there = denoiser.denoise(guess, middle);
                    double down = down(at, next);
                    Tensor moved = along(latents, there.noise(guess, middle), at, next, down);
                    if (ancestral) {
                        double ratio = next.noiseToSignal();
                        double fresh = next.alpha() * Math.sqrt(ratio * ratio - down * down);
                        moved = moved.plus(noise.drawLike(latents), fresh);
                    }
                    latents = walk.moved(scope, middle, moved, there);
                }
            }
            return walk.end(latents);
        }
    }

    /** Euler's step along ε from a level to a ratio, in the scale of another level. */
    private static Tensor along(
            Tensor x, Tensor epsilon, NoiseLevel from, NoiseLevel to, double ratio) {
        return x.times(to.alpha() / from.alpha())
                .plus(epsilon, to.alpha() * (ratio - from.noiseToSignal()));
    }

    /** Down to which ratio a step goes, before noise is added. */
    private double down(NoiseLevel at, NoiseLevel next) {
        double ratio = next.noiseToSignal();
        return ancestral ? ratio * Math.min(1, ratio / at.noiseToSignal()) : ratio;
    }

    /** Where a step is evaluated again; null for a step from pure noise or to no noise. */
    private @Nullable NoiseLevel middle(NoiseLevel at, NoiseLevel next) {
        if (at.alpha() == 0 || next.sigma() == 0) {
            return null;
        }
        double ratio = Math.sqrt(at.noiseToSignal() * down(at, next));
        return level == null ? Levels.between(at, next, ratio) : level.apply(ratio);
    }

    @Override
    public List<NoiseLevel> evaluations(List<NoiseLevel> levels) {
        List<NoiseLevel> evaluations = new ArrayList<>();
        for (int i = 0; i + 1 < levels.size(); i++) {
            evaluations.add(levels.get(i));
            NoiseLevel middle = middle(levels.get(i), levels.get(i + 1));
            if (middle != null) {
                evaluations.add(middle);
            }
        }
        return evaluations;
    }
}
