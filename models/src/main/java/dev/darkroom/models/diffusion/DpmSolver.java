package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.Iterator;
import java.util.List;

/**
 * DPM-Solver (Lu et al. 2022, arXiv:2206.00927) and DPM-Solver++ (Lu et al. 2022, arXiv:2211.01095,
 * algorithm 2), multistep.
 */
public final class DpmSolver {
    /** Which equation is solved, and for what it is extrapolated. */
    public enum Algorithm {
        /** The ODE by ε: DPM-Solver. */
        NOISE_ODE(true, false),
        /** The SDE by ε: draws noise in every step. */
        NOISE_SDE(true, true),
        /** The ODE by x̂0: DPM-Solver++. */
        DATA_ODE(false, false),
        /** The SDE by x̂0: draws noise in every step. */
        DATA_SDE(false, true);

        private final boolean ofNoise;
        private final boolean stochastic;

        Algorithm(boolean ofNoise, boolean stochastic) {
            this.ofNoise = ofNoise;
            this.stochastic = stochastic;
        }

        /** Whether ε is extrapolated rather than x̂0. Then sampling can't end without noise. */
        public boolean isOfNoise() {
            return ofNoise;
        }

        /** Whether noise is drawn in every step. */
        public boolean isStochastic() {
            return stochastic;
        }
    }

    /** Which approximation the second order uses for the slope of x̂0 (appendix B there). */
    public enum Kind {
        MIDPOINT,
        HEUN
    }

    /**
     * How to solve.
     *
     * @param algorithm {@link Algorithm#NOISE_SDE} has order 1 or 2
     * @param order how many of the last x̂0 or ε are used, 1 to 3
     * @param lowerOrderFinal whether the order falls to 1 towards the end when there are fewer than
     *     15 steps
     * @param eulerAtFinal whether the last step has order 1
     */
    public record Options(
            Algorithm algorithm,
            int order,
            Kind kind,
            boolean lowerOrderFinal,
            boolean eulerAtFinal) {
        public Options {
            if (order < 1 || order > 3) {
                throw new IllegalArgumentException("solver_order is 1, 2 or 3, not " + order);
            }
            if (algorithm == Algorithm.NOISE_SDE && order > 2) {
                throw new IllegalArgumentException(
                        "DPM-Solver for the SDE by ε has no third order; use solver_order 2");
            }
        }
    }

    private static final String NAME = "DPM-Solver";
    private static final int FEW_STEPS = 15;

    private DpmSolver() {}

    /**
     * Solves from the first level to the last in lambda = log(alpha/sigma), where x̂0 is
     * extrapolated as a polynomial (equation 8 and, for the SDE, appendix C of the second paper),
     * or ε (equation 3.4 of the first). One evaluation per step. The order of convergence is 1 or
     * 2; {@code order} 3 also has 2 with a smaller error, since the coefficient of its second
     * difference is half of Taylor's, in the authors' code and in diffusers as here.
     *
     * @param x latents at the first level {@code [N,C,…]}
     * @param levels of any family, no two in a row of the same noise but the last two (a step that
     *     moves nothing); for the SDE none noisier than the one before. Pure noise can only be the
     *     first, and no noise only the last; neither can be if ε is extrapolated
     * @return latents at the last level
     * @throws IllegalArgumentException if the levels are others
     */
    public static Tensor multistep(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            Options options,
            NoiseSource noise,
            StepListener on) {
        requireLevels(levels, options.algorithm());
        int last = levels.size() - 2;
        try (var history = new History(options.order())) {
            return Walk.along(
                    denoiser,
                    x,
                    levels,
                    on,
                    (xi, denoised, at, next) -> {
                        int i = history.steps();
                        boolean ofNoise = options.algorithm().isOfNoise();
                        history.add(at, ofNoise ? denoised.remainder(xi, at) : denoised.x0());
                        int order = Math.min(options.order(), i + 1);
                        boolean few = options.lowerOrderFinal() && last + 1 < FEW_STEPS;
                        boolean alike = at.lambda() == next.lambda();
                        boolean lower = options.eulerAtFinal() || few || next.sigma() == 0;
                        if (i == last && (lower || alike)) {
                            order = 1;
                        } else if (i == last - 1 && few) {
                            order = Math.min(order, 2);
                        }
                        var step = Coefficients.of(options.algorithm(), at, next);
                        Tensor moved = update(xi, history, next, order, options.kind(), step);
                        return options.algorithm().isStochastic()
                                ? moved.plus(noise.drawLike(xi), step.fresh())
                                : moved;
                    });
        }
    }

    private static void requireLevels(List<NoiseLevel> levels, Algorithm algorithm) {
        Levels.requireNoiseBeforeTheLast(NAME, levels);
        Levels.requireData(NAME, levels);
        for (int i = 0; i + 1 < levels.size(); i++) {
            NoiseLevel at = levels.get(i);
            NoiseLevel next = levels.get(i + 1);
            boolean alike = at.lambda() == next.lambda() && i + 2 < levels.size();
            if (alike || algorithm.isStochastic() && at.lambda() > next.lambda()) {
                throw new IllegalArgumentException(
                        NAME
                                + " needs levels that differ"
                                + (algorithm.isStochastic()
                                        ? ", each less noisy than the one before"
                                        : ", each from the one before")
                                + ", but "
                                + at
                                + " is followed by "
                                + next);
            }
        }
        boolean ends = levels.getFirst().alpha() == 0 || levels.getLast().sigma() == 0;
        if (algorithm.isOfNoise() && ends) {
            throw new IllegalArgumentException(
                    "DPM-Solver by ε can neither start from pure noise nor end without noise:"
                            + " extrapolate x̂0 (DPM-Solver++), or end at a sigma above 0");
        }
    }

    /**
     * What a step multiplies by.
     *
     * @param x of the latents
     * @param first of the last model output (x̂0 or ε)
     * @param slope of its first difference
     * @param curvature of its second difference
     * @param fresh of the noise, for the SDE
     */
    private record Coefficients(
            double x, double first, double slope, double curvature, double fresh) {
        /** Computes those of a step from level s to level t, in the papers' letters. */
        static Coefficients of(Algorithm algorithm, NoiseLevel s, NoiseLevel t) {
            double h = t.lambda() - s.lambda();
            boolean sde = algorithm.isStochastic();
            if (algorithm.isOfNoise()) {
                double e = Math.expm1(h);
                double b = sde ? 2 * t.sigma() : t.sigma();
                return new Coefficients(
                        t.alpha() / s.alpha(),
                        -b * e,
                        -b * (e / h - 1),
                        -b * ((e - h) / (h * h) - 0.5),
                        t.sigma() * Math.sqrt(Math.expm1(2 * h)));
            }
            double span = sde ? 2 * h : h;
            double e = Math.expm1(-span);
            double a = t.alpha();
            return new Coefficients(
                    t.sigma() / s.sigma() * (sde ? Math.exp(-h) : 1),
                    -a * e,
                    a * (e / span + 1),
                    // For the SDE, the half has the other sign in diffusers, whose own this is.
                    -a * ((e + span) / (span * span) + (sde ? 0.5 : -0.5)),
                    t.sigma() * Math.sqrt(-Math.expm1(-2 * h)));
        }
    }

    /** Takes one step without its noise, in the papers' letters. */
    private static Tensor update(
            Tensor x, History history, NoiseLevel next, int order, Kind kind, Coefficients step) {
        Iterator<History.Past> past = history.latestFirst();
        History.Past p0 = past.next();
        NoiseLevel s = p0.level();
        double h = next.lambda() - s.lambda();
        Tensor moved = x.times(step.x()).plus(p0.output(), step.first());
        if (order == 1) {
            return moved;
        }
        History.Past p1 = past.next();
        double r0 = (s.lambda() - p1.level().lambda()) / h;
        Tensor d1 = p0.output().minus(p1.output()).dividedBy(r0);
        if (order == 2) {
            return moved.plus(d1, kind == Kind.MIDPOINT ? step.first() / 2 : step.slope());
        }
        History.Past p2 = past.next();
        double r1 = (p1.level().lambda() - p2.level().lambda()) / h;
        Tensor before = p1.output().minus(p2.output()).dividedBy(r1);
        Tensor d2 = d1.minus(before).dividedBy(r0 + r1);
        return moved.plus(d1.plus(d2, r0), step.slope()).plus(d2, step.curvature());
    }
}
