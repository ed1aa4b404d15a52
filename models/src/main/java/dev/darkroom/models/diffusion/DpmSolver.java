package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;

/** DPM-Solver++, multistep (Lu et al. 2022, arXiv:2211.01095, algorithm 2). */
public final class DpmSolver {
    /** Which approximation the second order uses for the slope of x̂0 (appendix B there). */
    public enum Kind {
        MIDPOINT,
        HEUN
    }

    /**
     * How to solve.
     *
     * @param order how many of the last x̂0 are used, 1 to 3
     * @param stochastic whether the reverse SDE is solved rather than the ODE: draws noise in every
     *     step; up to order 2
     * @param lowerOrderFinal whether the order falls to 1 towards the end when there are fewer than
     *     15 steps
     * @param eulerAtFinal whether the last step has order 1
     */
    public record Options(
            int order,
            Kind kind,
            boolean stochastic,
            boolean lowerOrderFinal,
            boolean eulerAtFinal) {
        public Options {
            if (order < 1 || order > 3) {
                throw new IllegalArgumentException("solver_order is 1, 2 or 3, not " + order);
            }
            if (stochastic && order > 2) {
                throw new IllegalArgumentException(
                        "sde-dpmsolver++ has no third order; use solver_order 2");
            }
        }
    }

    private static final int FEW_STEPS = 15;

    private DpmSolver() {}

    /**
     * Solves from the first level to the last in lambda = log(alpha/sigma), where x̂0 is
     * extrapolated as a polynomial (equation 8 and, for the SDE, appendix C of the paper). One
     * evaluation per step. The order of convergence is 1 or 2; {@code order} 3 also has 2 with a
     * smaller error, since the coefficient of its second difference is half of Taylor's, in the
     * authors' code and in diffusers as here.
     *
     * @param x latents at the first level {@code [N,C,…]}
     * @param levels of any family
     * @return latents at the last level
     */
    public static Tensor multistep(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            Options options,
            NoiseSource noise,
            StepListener on) {
        int last = levels.size() - 2;
        try (var history = new History(options.order())) {
            return Walk.along(
                    denoiser,
                    x,
                    levels,
                    on,
                    (xi, found, at, next) -> {
                        int i = history.steps;
                        history.add(at, found.x0());
                        int order = Math.min(options.order(), i + 1);
                        boolean few = options.lowerOrderFinal() && last + 1 < FEW_STEPS;
                        if (i == last && (options.eulerAtFinal() || few || next.sigma() == 0)) {
                            order = 1;
                        } else if (i == last - 1 && few) {
                            order = Math.min(order, 2);
                        }
                        Tensor moved = update(xi, history, next, order, options);
                        if (!options.stochastic()) {
                            return moved;
                        }
                        double lost = -Math.expm1(2 * (at.lambda() - next.lambda()));
                        return moved.plus(noise.drawLike(xi), next.sigma() * Math.sqrt(lost));
                    });
        }
    }

    /** One step without its noise, in the paper's letters. */
    private static Tensor update(
            Tensor x, History history, NoiseLevel next, int order, Options options) {
        Iterator<Past> past = history.past.iterator();
        Past p0 = past.next();
        NoiseLevel s = p0.level();
        double h = next.lambda() - s.lambda();
        double span = options.stochastic() ? 2 * h : h;
        double e = Math.expm1(-span);
        double a = next.alpha();
        double decay = next.sigma() / s.sigma() * (options.stochastic() ? Math.exp(-h) : 1);
        Tensor moved = x.times(decay).plus(p0.x0(), -a * e);
        if (order == 1) {
            return moved;
        }
        Past p1 = past.next();
        double r0 = (s.lambda() - p1.level().lambda()) / h;
        Tensor d1 = p0.x0().minus(p1.x0()).dividedBy(r0);
        double slope = a * (e / span + 1);
        if (order == 2) {
            return moved.plus(d1, options.kind() == Kind.MIDPOINT ? -a * e / 2 : slope);
        }
        Past p2 = past.next();
        double r1 = (p1.level().lambda() - p2.level().lambda()) / h;
        Tensor before = p1.x0().minus(p2.x0()).dividedBy(r1);
        Tensor d2 = d1.minus(before).dividedBy(r0 + r1);
        return moved.plus(d1.plus(d2, r0), slope).plus(d2, -a * ((e + span) / (span * span) - 0.5));
    }

    /** What was found at a level. */
    private record Past(NoiseLevel level, Tensor x0) {}

    /** The last x̂0, latest first: shared with the steps' tensors, but living longer. */
    private static final class History implements AutoCloseable {
        private final int length;
        private final Deque<Past> past = new ArrayDeque<>();
        private int steps;

        History(int length) {
            this.length = length;
        }

        void add(NoiseLevel level, Tensor x0) {
            if (past.size() == length) {
                past.removeLast().x0().close();
            }
            past.addFirst(new Past(level, TensorScope.detach(x0.alias())));
            steps++;
        }

        @Override
        public void close() {
            past.forEach(found -> found.x0().close());
        }
    }
}
