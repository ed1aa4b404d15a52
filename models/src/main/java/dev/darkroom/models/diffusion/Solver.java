package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.DoubleFunction;
import java.util.function.ToDoubleFunction;
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

    /**
     * The end of a walk along some levels.
     *
     * @param levels where it is asked to start and all that follow
     * @param solver that moves along them
     */
    record Tail(List<NoiseLevel> levels, Solver solver) {}

    /**
     * This, when it starts at a later level.
     *
     * @param levels all of them
     * @param skipped how many steps are not taken
     */
    default Tail tail(List<NoiseLevel> levels, int skipped) {
        return new Tail(levels.subList(skipped, levels.size()), this);
    }

    /** {@link Solvers#euler}. */
    static Solver euler() {
        return (denoiser, x, levels, noise, on) -> Solvers.euler(denoiser, x, levels, on);
    }

    /** {@link Solvers#flowMap}. */
    static Solver flowMap() {
        return (denoiser, x, levels, noise, on) -> Solvers.flowMap(denoiser, x, levels, on);
    }

    /** {@link Solvers#eulerAncestral}. */
    static Solver eulerAncestral() {
        return Solvers::eulerAncestral;
    }

    /** {@link Solvers#heun}. */
    static Solver heun() {
        return new EvaluatingSolver(
                (denoiser, x, levels, noise, on) -> Solvers.heun(denoiser, x, levels, on),
                Solvers::heunEvaluations);
    }

    /**
     * {@link ProbabilityFlow#rk45}. Its {@link #evaluations} are those at the levels; in between
     * there are as many as the tolerance takes.
     *
     * @param rtol the error of a step, relative to values and to 1
     * @param level the level of a noise-to-signal ratio; null for one between its neighbours
     */
    static Solver rk45(double rtol, @Nullable DoubleFunction<NoiseLevel> level) {
        return (denoiser, x, levels, noise, on) ->
                ProbabilityFlow.rk45(denoiser, x, levels, rtol, level, on);
    }

    /**
     * {@link PredictorCorrector#solve} with corrections of at most sigma².
     *
     * @param corrections steps of the corrector at each level
     * @param snr how large a correction is beside the noise that it adds
     */
    static Solver predictorCorrector(
            PredictorCorrector.Predictor predictor, int corrections, double snr) {
        return predictorCorrector(predictor, corrections, snr, 1);
    }

    /**
     * {@link PredictorCorrector#solve}.
     *
     * @param corrections steps of the corrector at each level
     * @param snr how large a correction is beside the noise that it adds
     * @param most the greatest step of the corrector over sigma²
     */
    static Solver predictorCorrector(
            PredictorCorrector.Predictor predictor, int corrections, double snr, double most) {
        PredictorCorrector.requireCorrections(corrections, snr);
        return new EvaluatingSolver(
                (denoiser, x, levels, noise, on) ->
                        PredictorCorrector.solve(
                                denoiser, x, levels, predictor, corrections, snr, most, noise, on),
                levels -> PredictorCorrector.evaluations(levels, corrections));
    }

    /**
     * {@link EulerMaruyama#solve}.
     *
     * @param time t of a level
     * @param dt by how much t falls in each step, above 0
     */
    static Solver eulerMaruyama(Sde sde, ToDoubleFunction<NoiseLevel> time, double dt) {
        Objects.requireNonNull(sde, "sde");
        Objects.requireNonNull(time, "time");
        EulerMaruyama.requireStep(dt);
        return (denoiser, x, levels, noise, on) ->
                EulerMaruyama.solve(denoiser, x, levels, sde, time, dt, noise, on);
    }

    /**
     * {@link Langevin#annealed}.
     *
     * @param stepsPerLevel at least 1
     * @param stepSize α of a level over its sigma², above 0
     */
    static Solver langevin(int stepsPerLevel, double stepSize) {
        return new EvaluatingSolver(
                (denoiser, x, levels, noise, on) -> {
                    int clean = levels.getLast().sigma() == 0 ? 1 : 0;
                    double least = levels.get(Math.max(0, levels.size() - 1 - clean)).sigma();
                    return Langevin.annealed(
                            denoiser,
                            x,
                            levels,
                            stepsPerLevel,
                            stepSize * least * least,
                            noise,
                            on);
                },
                levels -> Langevin.evaluations(levels, stepsPerLevel));
    }

    /**
     * {@link Inversion#solve}, along levels from the cleanest to the noisiest.
     *
     * @param iterations evaluations in each step
     */
    static Solver inversion(int iterations) {
        Inversion.requireIterations(iterations);
        return new EvaluatingSolver(
                (denoiser, x, levels, noise, on) ->
                        Inversion.solve(denoiser, x, levels, iterations, on),
                levels -> Inversion.evaluations(levels, iterations));
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

    /**
     * {@link Solvers#cfgPlusPlus}.
     *
     * @param eta 0 for none of DDPM's noise, 1 for all of it
     */
    static Solver cfgPlusPlus(double eta) {
        return (denoiser, x, levels, noise, on) ->
                Solvers.cfgPlusPlus(denoiser, x, levels, eta, noise, on);
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

    /**
     * Sampling of trajectory consistency models (Zheng et al. 2024, arXiv:2402.19159, algorithm 4):
     * {@link Solvers#tcd}.
     *
     * @param gamma how much noise is added in each step, from 0 to 1
     * @param before the level at a share of a level's time; null for that share of its
     *     noise-to-signal ratio
     */
    static Solver tcd(double gamma, Solvers.@Nullable Earlier before) {
        return (denoiser, x, levels, noise, on) ->
                Solvers.tcd(denoiser, x, levels, gamma, before, noise, on);
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
     * DEIS (Zhang and Chen 2022, arXiv:2204.13902, section 3.3): see {@link ExponentialSolver}.
     *
     * @param order how many of the last ε are used, 1 to 3
     * @param lowerOrderFinal whether the order falls to 1 towards the end when there are fewer than
     *     15 steps
     */
    static Solver deis(int order, boolean lowerOrderFinal) {
        return (denoiser, x, levels, noise, on) ->
                ExponentialSolver.deis(denoiser, x, levels, order, lowerOrderFinal, on);
    }

    /**
     * UniPC (Zhao et al. 2023, arXiv:2302.04867): see {@link ExponentialSolver}.
     *
     * @param ofNoise whether ε is interpolated rather than x̂0
     * @param order of the predictor, 1 to 3; the corrector's is one more
     * @param slope what the predictor has where it goes through two estimates, and the corrector of
     *     the first order: {@link ExponentialSolver.Slope#HALF} for B(h) = h, {@link
     *     ExponentialSolver.Slope#MIDPOINT} for e^h − 1
     * @param lowerOrderFinal whether the order falls to 1 towards the end
     * @param uncorrected indices of the steps that are not corrected
     */
    static Solver uniPc(
            boolean ofNoise,
            int order,
            ExponentialSolver.Slope slope,
            boolean lowerOrderFinal,
            Set<Integer> uncorrected) {
        var options =
                new ExponentialSolver.Options(
                        ofNoise,
                        order,
                        slope,
                        order + 1,
                        slope,
                        lowerOrderFinal,
                        uncorrected,
                        null);
        return (denoiser, x, levels, noise, on) ->
                ExponentialSolver.multistep(denoiser, x, levels, options, noise, on);
    }

    /**
     * RES, the refined exponential solver, in its multistep form (Zhang et al. 2023,
     * arXiv:2308.02157): see {@link ExponentialSolver}. The slope between the last estimates of x̂0
     * is integrated exactly, where DPM-Solver++ takes a midpoint rule.
     *
     * @param order through how many estimates a step goes, 1 to 4
     */
    static Solver res(int order) {
        var exact = ExponentialSolver.Slope.EXACT;
        var options =
                new ExponentialSolver.Options(false, order, exact, 0, exact, false, Set.of(), null);
        return (denoiser, x, levels, noise, on) ->
                ExponentialSolver.multistep(denoiser, x, levels, options, noise, on);
    }

    /**
     * ER-SDE-Solver (Cui et al. 2023, arXiv:2309.06169) with the noise that its authors choose for
     * trained models.
     *
     * @param order through how many estimates a step goes, 1 to 3
     */
    static Solver erSde(int order) {
        ErSde.requireOrder(order);
        return (denoiser, x, levels, noise, on) ->
                ErSde.solve(denoiser, x, levels, order, ErSde::noise, noise, on);
    }

    /**
     * SA-Solver (Xue et al. 2023, arXiv:2309.05019): see {@link ExponentialSolver}.
     *
     * @param ofNoise whether ε is interpolated rather than x̂0
     * @param predictor through how many estimates a step goes, 1 to 4
     * @param corrector through how many it is corrected, with the one at its end; 0 for no
     *     corrector
     * @param lowerOrderFinal whether both numbers fall towards the end
     * @param tau how much noise is added in the step from a level, from 0 to 1
     */
    static Solver saSolver(
            boolean ofNoise,
            int predictor,
            int corrector,
            boolean lowerOrderFinal,
            ToDoubleFunction<NoiseLevel> tau) {
        // By x̂0, the authors take half the square of the step where two estimates are used.
        var slope = ofNoise ? ExponentialSolver.Slope.EXACT : ExponentialSolver.Slope.HALF;
        var options =
                new ExponentialSolver.Options(
                        ofNoise,
                        predictor,
                        slope,
                        corrector,
                        slope,
                        lowerOrderFinal,
                        Set.of(),
                        tau);
        return (denoiser, x, levels, noise, on) ->
                ExponentialSolver.multistep(denoiser, x, levels, options, noise, on);
    }

    /**
     * Singlestep DPM-Solver (Lu et al. 2022, arXiv:2206.00927 and arXiv:2211.01095): see {@link
     * ExponentialSolver}.
     *
     * @param order how many levels a group has, 1 to 3
     * @param lowerOrderFinal whether the groups at the end are shorter
     */
    static Solver singlestep(
            DpmSolver.Algorithm algorithm,
            int order,
            DpmSolver.Kind kind,
            boolean lowerOrderFinal) {
        return (denoiser, x, levels, noise, on) ->
                ExponentialSolver.singlestep(
                        denoiser, x, levels, algorithm, order, kind, lowerOrderFinal, noise, on);
    }

    /** The linear multistep method of k-diffusion, by the last slopes: 1 to 4 of them. */
    static Solver lms(int order) {
        return (denoiser, x, levels, noise, on) ->
                LinearMultistep.lms(denoiser, x, levels, order, on);
    }

    /**
     * The improved pseudo linear multistep method (Zhang and Chen 2022, arXiv:2204.13902), by the
     * last four ε.
     */
    static Solver improvedPndm() {
        return (denoiser, x, levels, noise, on) ->
                LinearMultistep.improvedPndm(denoiser, x, levels, on);
    }

    /**
     * The midpoint method in log σ, k-diffusion's DPM2 (Lu et al. 2022, arXiv:2206.00927, algorithm
     * 1; Karras et al. 2022, arXiv:2206.00364, algorithm 3).
     *
     * @param ancestral whether each step goes to less noise than the next level has, and adds fresh
     *     noise up to it
     * @param level the level of a noise-to-signal ratio; null for one on the line between its
     *     neighbours
     */
    static Solver midpoint(boolean ancestral, @Nullable DoubleFunction<NoiseLevel> level) {
        return new Midpoint(ancestral, level);
    }

    /**
     * Another solver with noise added before each step (Karras et al. 2022, arXiv:2206.00364,
     * algorithm 2).
     *
     * @param each solves a step, and remembers nothing from one to the next: {@link #euler}, {@link
     *     #heun}, {@link #midpoint}
     * @param level as for {@link #midpoint}
     * @param early what the network predicts, if it is asked before the noise is added and its
     *     output is then taken for that at the noisier level, as diffusers does; null to ask it
     *     there, as the paper does
     */
    static Solver churned(
            Solver each,
            Churn churn,
            @Nullable DoubleFunction<NoiseLevel> level,
            @Nullable Preconditioning early) {
        return new Churned(each, churn, level, early);
    }

    /**
     * The pseudo linear multistep method that starts with three steps of Runge and Kutta (Liu et
     * al. 2022, arXiv:2202.09778, algorithm 2).
     *
     * @param prediction which of the network's outputs are combined
     */
    static Solver pndm(Preconditioning prediction) {
        return pndm(prediction, null, null);
    }

    /**
     * The same as diffusers has it.
     *
     * @param prediction which of the network's outputs are combined
     * @param after where a step ends that starts at a level; null for the next level
     * @param middle where it is evaluated half-way; null for the geometric mean of its ends
     */
    static Solver pndm(
            Preconditioning prediction,
            @Nullable UnaryOperator<NoiseLevel> after,
            @Nullable UnaryOperator<NoiseLevel> middle) {
        var steps =
                new Plms.Steps() {
                    @Override
                    public NoiseLevel end(NoiseLevel at, NoiseLevel next) {
                        return after == null ? next : after.apply(at);
                    }

                    @Override
                    public NoiseLevel middle(NoiseLevel at, NoiseLevel end) {
                        return middle == null ? ALONG.middle(at, end) : middle.apply(at);
                    }
                };
        return new EvaluatingSolver(
                (denoiser, x, levels, noise, on) ->
                        Plms.rungeKutta(denoiser, x, levels, prediction, steps, on),
                levels -> Plms.evaluations(levels, steps));
    }

    /**
     * The pseudo linear multistep method (Liu et al. 2022, arXiv:2202.09778): {@link #plms} on
     * levels where each step ends at the next one.
     *
     * @param prediction which of the network's outputs are combined
     */
    static Solver plms(Preconditioning prediction) {
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
            Preconditioning prediction,
            @Nullable UnaryOperator<NoiseLevel> after,
            @Nullable UnaryOperator<NoiseLevel> before) {
        return plms(prediction, after, before, true);
    }

    private static Solver plms(
            Preconditioning prediction,
            @Nullable UnaryOperator<NoiseLevel> after,
            @Nullable UnaryOperator<NoiseLevel> before,
            boolean twice) {
        return new Solver() {
            @Override
            public Tensor solve(
                    Denoiser denoiser,
                    Tensor x,
                    List<NoiseLevel> levels,
                    NoiseSource noise,
                    StepListener on) {
                return Plms.solve(
                        denoiser, x, levels, evaluations(levels), prediction, after, before, on);
            }

            @Override
            public List<NoiseLevel> evaluations(List<NoiseLevel> levels) {
                return twice ? Plms.evaluations(levels) : levels.subList(0, levels.size() - 1);
            }

            /* diffusers skips evaluations, of which the second level has two. */
            @Override
            public Tail tail(List<NoiseLevel> levels, int skipped) {
                if (after == null || skipped == 0) {
                    return Solver.super.tail(levels, skipped);
                }
                List<NoiseLevel> left = new ArrayList<>(Plms.evaluations(levels));
                left.subList(0, skipped).clear();
                left.add(levels.getLast());
                return new Tail(left, plms(prediction, after, before, false));
            }
        };
    }
}
