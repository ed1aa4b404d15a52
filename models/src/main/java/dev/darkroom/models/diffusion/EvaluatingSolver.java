package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A solver that calls the denoiser elsewhere than once at each level but the last.
 *
 * @param at where, of some levels
 */
record EvaluatingSolver(Solver solver, UnaryOperator<List<NoiseLevel>> at) implements Solver {
    @Override
    public Tensor solve(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            NoiseSource noise,
            StepListener on) {
        return solver.solve(denoiser, x, levels, noise, on);
    }

    @Override
    public List<NoiseLevel> evaluations(List<NoiseLevel> levels) {
        return at.apply(levels);
    }
}
