package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.List;
import java.util.function.UnaryOperator;

/**
 * A way from noise to data: what is left open of one of {@link Solvers} or {@link DpmSolver} when
 * its own options are chosen. It serves the levels of every process, or says why it does not.
 */
public interface Solver {
    /**
     * Solves.
     *
     * @param denoiser is called once for each of {@link #evaluations}
     * @param x latents at the first level {@code [N,C,…]}; left as they are
     * @param levels from the noisiest to the last
     * @param noise is asked only by solvers that add noise
     * @return latents at the last level, in the caller's scope
     * @throws IllegalArgumentException if it can't take these levels
     */
    Tensor solve(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            NoiseSource noise,
            StepListener on);

    /** The levels at which the denoiser is called, in order. */
    default List<NoiseLevel> evaluations(List<NoiseLevel> levels) {
        return levels.subList(0, levels.size() - 1);
    }

    /** {@link Solvers#euler}. */
    static Solver euler() {
        return (denoiser, x, levels, noise, on) -> Solvers.euler(denoiser, x, levels, on);
    }

    /** {@link Solvers#eulerAncestral}. */
    static Solver eulerAncestral() {
        return Solvers::eulerAncestral;
    }

    /** {@link Solvers#heun}. */
    static Solver heun() {
        return new Solver() {
            @Override
            public Tensor solve(
                    Denoiser denoiser,
                    Tensor x,
                    List<NoiseLevel> levels,
                    NoiseSource noise,
                    StepListener on) {
                return Solvers.heun(denoiser, x, levels, on);
            }

            @Override
            public List<NoiseLevel> evaluations(List<NoiseLevel> levels) {
                return Solvers.heunEvaluations(levels);
            }
        };
    }

    /**
     * {@link Solvers#ddim}.
     *
     * @param eta 0 for none of DDPM's noise, 1 for all of it
     */
    static Solver ddim(double eta) {
        return ddim(eta, false, null);
    }

    /**
     * {@link Solvers#ddim} as diffusers has it.
     *
     * @param clippedNoise whether ε is taken from the clipped x̂0
     * @param end where a step from a level ends; null for the next level
     */
    static Solver ddim(double eta, boolean clippedNoise, @Nullable UnaryOperator<NoiseLevel> end) {
        return (denoiser, x, levels, noise, on) ->
                Solvers.ddim(denoiser, x, levels, eta, clippedNoise, end, noise, on);
    }

    /** {@link Solvers#ddpm}. */
    static Solver ddpm(ReverseVariance variance) {
        return (denoiser, x, levels, noise, on) ->
                Solvers.ddpm(denoiser, x, levels, variance, noise, on);
    }

    /**
     * {@link Solvers#lcm}, with the boundary conditions of latent consistency models.
     *
     * @param timestepScaling see {@link Consistency#boundary}
     */
    static Solver lcm(double timestepScaling) {
        return (denoiser, x, levels, noise, on) ->
                Solvers.lcm(Consistency.boundary(denoiser, timestepScaling), x, levels, noise, on);
    }

    /** {@link Solvers#consistency}. */
    static Solver consistency(double sigmaMin) {
        return (denoiser, x, levels, noise, on) ->
                Solvers.consistency(denoiser, x, levels, sigmaMin, noise, on);
    }

    /** {@link DpmSolver#multistep}. */
    static Solver multistep(DpmSolver.Options options) {
        return (denoiser, x, levels, noise, on) ->
                DpmSolver.multistep(denoiser, x, levels, options, noise, on);
    }

    /**
     * The pseudo linear multistep method (Liu et al. 2022, arXiv:2202.09778): {@link #plms} on
     * levels where each step ends at the next one.
     *
     * @param prediction which of the network's outputs are combined
     */
    static Solver plms(Prediction prediction) {
        return plms(prediction, null, null);
    }

    /**
     * The pseudo linear multistep method as diffusers has it.
     *
     * @param prediction which of the network's outputs are combined
     * @param after where a step ends that is evaluated at a level; null for the next level
     * @param before where the first step begins, when it is taken once more from its end; null for
     *     the first level
     */
    static Solver plms(
            Prediction prediction,
            @Nullable UnaryOperator<NoiseLevel> after,
            @Nullable UnaryOperator<NoiseLevel> before) {
        return new Solver() {
            @Override
            public Tensor solve(
                    Denoiser denoiser,
                    Tensor x,
                    List<NoiseLevel> levels,
                    NoiseSource noise,
                    StepListener on) {
                return Plms.solve(denoiser, x, levels, prediction, after, before, on);
            }

            @Override
            public List<NoiseLevel> evaluations(List<NoiseLevel> levels) {
                return Plms.evaluations(levels);
            }
        };
    }
}
