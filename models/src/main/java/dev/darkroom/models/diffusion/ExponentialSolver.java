package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.function.ToDoubleFunction;

/**
 * Exponential integrators in lambda = log(alpha/sigma). Each step takes the linear part of the
 * probability-flow ODE, or of its SDE, exactly, and integrates a polynomial through estimates of
 * x̂0 or ε, of which the methods choose how many and at which levels:
 *
 * <ul>
 *   <li>DEIS (Zhang and Chen 2022, arXiv:2204.13902, section 3.3, in log ρ): the last ε;
 *   <li>UniPC (Zhao et al. 2023, arXiv:2302.04867, algorithms 5 to 8): the last x̂0 or ε, and a
 *       corrector through the one at the end of the step, which costs no evaluation more;
 *   <li>RES (Zhang et al. 2023, arXiv:2308.02157), multistep: the last x̂0;
 *   <li>SA-Solver (Xue et al. 2023, arXiv:2309.05019, algorithm 1): the same for the SDE;
 *   <li>singlestep DPM-Solver (Lu et al. 2022, arXiv:2206.00927, algorithms 1 and 2, and
 *       arXiv:2211.01095): those since the start of a group of one to three levels.
 * </ul>
 */
public final class ExponentialSolver {
    /** What the integral of the linear term of two estimates is taken for. */
    public enum Slope {
        /** Itself. */
        EXACT,
        /** Its value for a short step, as UniPC's with B(h) = h. */
        HALF,
        /** Half the integral of the constant term: UniPC's B(h) = e^h − 1; a midpoint rule. */
        MIDPOINT
    }

    /**
     * How to solve by the last estimates.
     *
     * @param ofNoise whether ε is interpolated rather than x̂0
     * @param predictor through how many estimates a step goes, 1 to 4
     * @param predictorSlope of a step through two
     * @param corrector through how many estimates it is then corrected, with the one at its end; 0
     *     for no corrector
     * @param correctorSlope of a correction through two
     * @param lowerOrderFinal whether the last steps go through as few estimates as there are steps
     *     left
     * @param uncorrected indices of the steps that are not corrected
     * @param tau how much noise is added in the step from a level, 0 for none and 1 for that of the
     *     reverse SDE; null to draw none
     */
    record Options(
            boolean ofNoise,
            int predictor,
            Slope predictorSlope,
            int corrector,
            Slope correctorSlope,
            boolean lowerOrderFinal,
            Set<Integer> uncorrected,
            @Nullable ToDoubleFunction<NoiseLevel> tau) {
        Options {
            if (predictor < 1 || predictor > 4 || corrector < 0 || corrector > 5) {
                throw new IllegalArgumentException(
                        "a multistep solver has an order from 1 to 4, not "
                                + predictor
                                + " with a corrector of "
                                + corrector);
            }
            uncorrected = Set.copyOf(uncorrected);
        }

        private double tauFrom(NoiseLevel level) {
            return tau == null ? 0 : tau.applyAsDouble(level);
        }
    }

    private static final String NAME = "An exponential integrator";
    private static final int FEW_STEPS = 15;
    private static final int TERMS = 20;
    private static final Comparator<History.Past> BY_LAMBDA =
            Comparator.comparingDouble(past -> past.level().lambda());

    private ExponentialSolver() {}

    /**
     * DEIS. One evaluation per step; its order is {@code order}, but 3 only with smaller steps at
     * the start, where there are fewer ε.
     *
     * @param order how many of the last ε are used, 1 to 3
     * @param lowerOrderFinal whether the order falls to 1 towards the end when there are fewer than
     *     15 steps
     */
    static Tensor deis(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            int order,
            boolean lowerOrderFinal,
            StepListener on) {
        boolean few = lowerOrderFinal && levels.size() - 1 < FEW_STEPS;
        return multistep(
                denoiser,
                x,
                levels,
                new Options(true, order, Slope.EXACT, 0, Slope.EXACT, few, Set.of(), null),
                NoiseSource.NONE,
                on);
    }

    /**
     * Solves by the last estimates, with a corrector where there is one. One evaluation per step.
     * Without noise, the order is that of the predictor, or with UniPC's corrector one more.
     *
     * @param levels of any family, with data in all but the first and noise in all but the last; if
     *     ε is interpolated, with data in all. A step to no noise goes through the last estimate
     *     alone
     * @throws IllegalArgumentException if the levels are others
     */
    static Tensor multistep(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            Options options,
            NoiseSource noise,
            StepListener on) {
        requireLevels(levels, options.ofNoise());
        int steps = levels.size() - 1;
        int kept = Math.max(options.predictor(), Math.max(1, options.corrector() - 1));
        try (var history = new History(kept);
                var start = new History(1);
                var fresh = new History(1)) {
            return Walk.along(
                    denoiser,
                    x,
                    levels,
                    on,
                    (xi, denoised, at, next) -> {
                        int i = history.steps();
                        Tensor output = output(options.ofNoise(), denoised, xi, at);
                        Tensor from = xi;
                        int through = nodes(options.corrector(), options, i - 1, steps, true);
                        boolean corrects =
                                i > 0
                                        && through > 0
                                        && !options.uncorrected().contains(i - 1)
                                        && start.latestFirst().next().level().alpha() > 0;
                        if (corrects) {
                            History.Past before = start.latestFirst().next();
                            List<History.Past> nodes = new ArrayList<>();
                            nodes.add(new History.Past(at, output));
                            nodes.addAll(latest(history, through - 1));
                            double tau = options.tauFrom(before.level());
                            var step = new Move(before.level(), at, options.ofNoise(), tau);
                            from = step.take(before.output(), nodes, options.correctorSlope());
                            if (tau > 0) {
                                Tensor z = fresh.latestFirst().next().output();
                                from = from.plus(z, step.fresh());
                            }
                        }
                        history.add(at, output);
                        start.add(at, from);
                        double tau = options.tauFrom(at);
                        var step = new Move(at, next, options.ofNoise(), tau);
                        int order = nodes(options.predictor(), options, i, steps, false);
                        Tensor moved =
                                step.take(
                                        from,
                                        latest(history, next.sigma() == 0 ? 1 : order),
                                        options.predictorSlope());
                        if (options.tau() == null) {
                            return moved;
                        }
                        Tensor z = noise.drawLike(xi);
                        fresh.add(at, z);
                        return moved.plus(z, step.fresh());
                    });
        }
    }

    /** Through how many estimates step i is predicted, or corrected. */
    private static int nodes(int most, Options options, int i, int steps, boolean corrected) {
        int more = corrected ? 1 : 0;
        int nodes = Math.min(most, i + 1 + more);
        return options.lowerOrderFinal() ? Math.min(nodes, steps - i + more) : nodes;
    }

    private static List<History.Past> latest(History history, int count) {
        List<History.Past> latest = new ArrayList<>();
        Iterator<History.Past> past = history.latestFirst();
        while (latest.size() < count && past.hasNext()) {
            latest.add(past.next());
        }
        return latest;
    }

    /**
     * Singlestep DPM-Solver: levels are taken in groups, and each level of a group is reached from
     * its first one by all estimates since. One evaluation per level; the order per group is {@code
     * order}.
     *
     * @param algorithm as in {@link DpmSolver}
     * @param order how many levels a group has, 1 to 3
     * @param kind which rule a step has: through the first and the last estimate of a group, or
     *     through all
     * @param lowerOrderFinal whether the groups at the end are shorter, as they are anyway where
     *     the levels don't suffice or end without noise
     * @throws IllegalArgumentException if the levels are others than of {@link #multistep}
     */
    static Tensor singlestep(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            DpmSolver.Algorithm algorithm,
            int order,
            DpmSolver.Kind kind,
            boolean lowerOrderFinal,
            NoiseSource noise,
            StepListener on) {
        if (order < 1 || order > 3) {
            throw new IllegalArgumentException("solver_order is 1, 2 or 3, not " + order);
        }
        boolean ofNoise = algorithm.isOfNoise();
        requireLevels(levels, ofNoise);
        double tau = algorithm.isStochastic() ? 1 : 0;
        int steps = levels.size() - 1;
        int[] orders = orders(steps, order, lowerOrderFinal, levels.getLast().sigma() == 0);
        try (var group = new History(order);
                var start = new History(1)) {
            return Walk.along(
                    denoiser,
                    x,
                    levels,
                    on,
                    (xi, denoised, at, next) -> {
                        int through = orders[group.steps()];
                        group.add(at, output(ofNoise, denoised, xi, at));
                        if (through == 1) {
                            start.add(at, xi);
                        }
                        History.Past first = start.latestFirst().next();
                        List<History.Past> nodes = latest(group, through).reversed();
                        if (kind == DpmSolver.Kind.MIDPOINT && through == 3) {
                            nodes = List.of(nodes.getFirst(), nodes.getLast());
                        }
                        boolean midpoint = kind == DpmSolver.Kind.MIDPOINT && through == 2;
                        var step = new Move(first.level(), next, ofNoise, tau);
                        Tensor moved =
                                step.take(
                                        first.output(),
                                        nodes,
                                        midpoint ? Slope.MIDPOINT : Slope.EXACT);
                        return tau > 0 ? moved.plus(noise.drawLike(xi), step.fresh()) : moved;
                    });
        }
    }

    /** Through how many estimates each step goes: 1 to {@code order}, again and again. */
    private static int[] orders(int steps, int order, boolean lowerOrderFinal, boolean endsClean) {
        var orders = new int[steps];
        for (int i = 0; i < steps; i++) {
            orders[i] = 1 + i % order;
        }
        if (endsClean || steps % order == 0 && lowerOrderFinal) {
            orders[steps - 1] = 1; // the last group is split: 1, 2 and 1, or 1 and 1
        }
        return orders;
    }

    private static Tensor output(boolean ofNoise, Denoised denoised, Tensor x, NoiseLevel at) {
        return ofNoise ? denoised.remainder(x, at) : denoised.x0();
    }

    private static void requireLevels(List<NoiseLevel> levels, boolean ofNoise) {
        Levels.requireNoiseBeforeTheLast(NAME, levels);
        Levels.requireData(NAME, levels);
        if (ofNoise && levels.getFirst().alpha() == 0) {
            throw new IllegalArgumentException(
                    NAME + " by ε can't start from pure noise: take one by x̂0, such as UniPC");
        }
    }

    /**
     * A step from level s to level t: x_t = kept·x_s + scale·∫ e^{z(1 − u)} p(u) du over u from 0
     * to 1, with p the interpolated estimates, plus noise (SA-Solver's proposition 4.2; for tau 0
     * equations 3.2 of DPM-Solver and 9 of DPM-Solver++).
     */
    private record Move(NoiseLevel s, NoiseLevel t, boolean ofNoise, double tau) {
        private double h() {
            return t.lambda() - s.lambda();
        }

        private double kept() {
            double damped = tau == 0 ? 1 : Math.exp(-tau * tau * h());
            return ofNoise ? t.alpha() / s.alpha() : t.sigma() / s.sigma() * damped;
        }

        /** The integral of a constant 1, scaled: finite where h is not. */
        private double constant() {
            double k = 1 + tau * tau;
            if (!ofNoise) {
                return -t.alpha() * Math.expm1(-k * h());
            }
            return t.sigma() == 0
                    ? -k * t.alpha() * s.noiseToSignal()
                    : -k * t.sigma() * Math.expm1(h());
        }

        /** The deviation of the noise that the step adds. */
        double fresh() {
            if (tau == 0) {
                return 0;
            }
            return ofNoise
                    ? tau * t.sigma() * Math.sqrt(Math.expm1(2 * h()))
                    : t.sigma() * Math.sqrt(-Math.expm1(-2 * tau * tau * h()));
        }

        /** Takes the step from x, without its noise. */
        Tensor take(Tensor x, List<History.Past> estimates, Slope slope) {
            List<History.Past> nodes = estimates; // one at pure noise is infinitely far
            if (estimates.size() > 1) {
                nodes = estimates.stream().filter(each -> each.level().alpha() > 0).toList();
            }
            if (s.alpha() == 0 && nodes.size() > 1) { // and so are all from there
                nodes = List.of(Collections.max(nodes, BY_LAMBDA));
            }
            double[] weights = weights(nodes, slope);
            Tensor moved = x.times(kept());
            for (int i = 0; i < weights.length; i++) {
                moved = moved.plus(nodes.get(i).output(), weights[i]);
            }
            return moved;
        }

        /** What each estimate counts: the integrals of Lagrange's polynomials. */
        private double[] weights(List<History.Past> nodes, Slope slope) {
            int n = nodes.size();
            if (n == 1) {
                return new double[] {constant()};
            }
            double k = 1 + tau * tau;
            double z = ofNoise ? h() : -k * h();
            double scale = ofNoise ? -k * t.sigma() : k * t.alpha();
            var distances = new double[n]; // λ − λ_s
            var moments = new double[n];
            double factorial = 1;
            for (int j = 0; j < n; j++) {
                factorial *= Math.max(1, j);
                double moment = factorial * phi(j + 1, z);
                if (n == 2 && j == 1 && slope != Slope.EXACT) {
                    moment = slope == Slope.HALF ? 0.5 : phi(1, z) / 2;
                }
                distances[j] = nodes.get(j).level().lambda() - s.lambda();
                moments[j] = scale * Math.pow(h(), j + 1) * moment;
            }
            return Quadrature.weights(distances, moments);
        }
    }

    /** φ_k(z) = ∫ e^{z(1 − u)} u^{k−1}/(k − 1)! du from 0 to 1. */
    private static double phi(int k, double z) {
        if (Math.abs(z) < 1) {
            double sum = 0;
            double term = 1;
            for (int i = 1; i <= k; i++) {
                term /= i;
            }
            for (int i = 1; i <= TERMS; i++) {
                sum += term;
                term *= z / (i + k);
            }
            return sum;
        }
        double phi = Math.expm1(z) / z;
        double inverseFactorial = 1;
        for (int i = 2; i <= k; i++) {
            phi = (phi - inverseFactorial) / z;
            inverseFactorial /= i;
        }
        return phi;
    }
}
