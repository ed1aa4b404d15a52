package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.Iterator;
import java.util.List;
import java.util.function.DoubleUnaryOperator;

/**
 * ER-SDE-Solver (Cui et al. 2023, arXiv:2309.06169, algorithms 1 to 3): the reverse SDE whose noise
 * is any function h of λ = sigma/alpha. It takes the linear part exactly,
 *
 * <p>y_t = h(t)/h(s)·y_s + (1 − h(t)/h(s))·x̂0 + √(t² − s²·(h(t)/h(s))²)·z with y = x/alpha
 *
 * <p>and adds the integrals of the derivatives of x̂0 in λ, which it has of the last estimates.
 */
final class ErSde {
    /** Points of Simpson's rule, in log λ, where h is smooth. */
    private static final int INTERVALS = 64;

    private ErSde() {}

    /** The authors' choice for trained models, ER-SDE 4: λ·(exp(λ^0.3) + 10). */
    static double noise(double lambda) {
        return lambda * (Math.exp(Math.pow(lambda, 0.3)) + 10);
    }

    /**
     * Solves. One evaluation per step. Without noise the order is {@code order}, but 2 for 3: as
     * the authors do, the first derivative is taken between the last two estimates. Draws noise in
     * every step but one that ends without.
     *
     * @param levels of any family, with noise in all but the last and data in all but the first
     * @param order through how many estimates a step goes, 1 to 3
     * @param h how much noise there is; the identity for none, which is the probability-flow ODE
     * @throws IllegalArgumentException if the levels or the order are others
     */
    static Tensor solve(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            int order,
            DoubleUnaryOperator h,
            NoiseSource noise,
            StepListener on) {
        requireOrder(order);
        Levels.requireNoiseBeforeTheLast("ER-SDE", levels);
        Levels.requireData("ER-SDE", levels);
        try (var history = new History(order)) {
            return Walk.along(
                    denoiser,
                    x,
                    levels,
                    on,
                    (xi, denoised, at, next) -> {
                        if (next.sigma() == 0) {
                            return denoised.x0().times(next.alpha());
                        }
                        if (at.alpha() == 0) { // nothing of x is data, and λ infinite
                            return next.noised(denoised.x0(), noise.drawLike(xi));
                        }
                        history.add(at, denoised.x0());
                        var step = new Move(at.noiseToSignal(), next.noiseToSignal(), h);
                        Tensor moved =
                                xi.times(next.alpha() / at.alpha() * step.kept())
                                        .plus(step.estimate(history.latestFirst()), next.alpha());
                        return moved.plus(noise.drawLike(xi), next.alpha() * step.fresh());
                    });
        }
    }

    static void requireOrder(int order) {
        if (order < 1 || order > 3) {
            throw new IllegalArgumentException("the order of ER-SDE is 1, 2 or 3, not " + order);
        }
    }

    /** A step of y from λ = s to t. */
    private record Move(double s, double t, DoubleUnaryOperator h) {
        double kept() {
            return h.applyAsDouble(t) / h.applyAsDouble(s);
        }

        double fresh() {
            double left = s * kept() / t;
            return t * Math.sqrt(Math.max(0, 1 - left * left));
        }

        /** What x̂0 and its derivatives add to y; the latest is that at s. */
        Tensor estimate(Iterator<History.Past> latestFirst) {
            History.Past now = latestFirst.next();
            Tensor sum = now.output().times(1 - kept());
            if (!latestFirst.hasNext()) {
                return sum;
            }
            History.Past before = latestFirst.next();
            Tensor slope = slope(now, before);
            double linear = t - s + h.applyAsDouble(t) * integral(0);
            if (!latestFirst.hasNext()) {
                return sum.plus(slope, linear);
            }
            History.Past first = latestFirst.next();
            double whole = s - first.level().noiseToSignal();
            Tensor second = slope.minus(slope(before, first)).times(2 / whole);
            double square = (t - s) * (t - s) / 2 + h.applyAsDouble(t) * integral(1);
            return sum.plus(slope, linear).plus(second, square);
        }

        private static Tensor slope(History.Past now, History.Past before) {
            double between = now.level().noiseToSignal() - before.level().noiseToSignal();
            return now.output().minus(before.output()).dividedBy(between);
        }

        /** ∫ (τ − s)^power / h(τ) dτ from t to s. */
        private double integral(int power) {
            double from = Math.log(t);
            double width = (Math.log(s) - from) / INTERVALS;
            double sum = 0;
            for (int i = 0; i <= INTERVALS; i++) {
                double tau = Math.exp(from + i * width);
                int weight = i == 0 || i == INTERVALS ? 1 : i % 2 == 1 ? 4 : 2;
                sum += weight * Math.pow(tau - s, power) / h.applyAsDouble(tau) * tau;
            }
            return sum * width / 3;
        }
    }
}
