package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The Runge-Kutta method of order 5 with an error estimate of order 4 (Dormand and Prince 1980),
 * whose step size follows the error. All samples of a batch take the same steps.
 */
final class DormandPrince {
    private static final double[] NODES = {0, 1 / 5.0, 3 / 10.0, 4 / 5.0, 8 / 9.0, 1, 1};
    private static final double[][] STAGES = {
        {},
        {1 / 5.0},
        {3 / 40.0, 9 / 40.0},
        {44 / 45.0, -56 / 15.0, 32 / 9.0},
        {19372 / 6561.0, -25360 / 2187.0, 64448 / 6561.0, -212 / 729.0},
        {9017 / 3168.0, -355 / 33.0, 46732 / 5247.0, 49 / 176.0, -5103 / 18656.0},
        {35 / 384.0, 0, 500 / 1113.0, 125 / 192.0, -2187 / 6784.0, 11 / 84.0}
    };
    private static final double[] ERROR = {
        71 / 57600.0, 0, -71 / 16695.0, 71 / 1920.0, -17253 / 339200.0, 22 / 525.0, -1 / 40.0
    };

    private static final double FIRST_SHARE = 0.1;
    private static final double SAFETY = 0.9;
    private static final double LEAST_CHANGE = 0.2;
    private static final double GREATEST_CHANGE = 5;
    private static final double LEAST_STEP = 1e-10;

    /** dy/ds. */
    @FunctionalInterface
    interface Slope {
        /**
         * The slope.
         *
         * @param y {@code [N,…]}
         */
        Tensor at(double s, Tensor y);
    }

    private final double tolerance;

    /** The size of the next step; 0 before the first. */
    private double step;

    /**
     * @param tolerance the error of a step, relative to values and to 1, as a root mean square over
     *     each sample
     */
    DormandPrince(double tolerance) {
        if (!(tolerance > 0 && tolerance < 1)) {
            throw new IllegalArgumentException(
                    "the tolerance rtol is above 0 and below 1, not " + tolerance);
        }
        this.tolerance = tolerance;
    }

    /**
     * Solves from s to another.
     *
     * @param y {@code [N,…]}
     * @param first the slope there
     * @return y at {@code to}, in the caller's scope
     * @throws ArithmeticException if no step is small enough
     */
    Tensor advance(Slope slope, Tensor y, Tensor first, double from, double to) {
        double whole = to - from;
        double h = step == 0 ? FIRST_SHARE * whole : Math.copySign(step, whole);
        double s = from;
        try (var scope = TensorScope.open()) {
            Tensor at = y;
            Tensor k = first;
            while (s != to) {
                boolean ends = Math.abs(h) >= Math.abs(to - s) * (1 - LEAST_STEP);
                double taken = ends ? to - s : h;
                try (var attempt = TensorScope.open()) {
                    List<Tensor> stages = new ArrayList<>(List.of(k));
                    Tensor next = at;
                    for (int i = 1; i < NODES.length; i++) {
                        next = combined(at, stages, STAGES[i], taken);
                        double node = i + 2 > NODES.length && ends ? to : s + NODES[i] * taken;
                        stages.add(slope.at(node, next));
                    }
                    Tensor off = combined(null, stages, ERROR, taken);
                    double error = error(off, at, next);
                    if (error <= 1) {
                        s = ends ? to : s + taken;
                        at = attempt.keep(next);
                        k = attempt.keep(stages.getLast());
                    }
                    // A step that was cut short says little about how long the next may be.
                    if (error > 1 || !ends || Math.abs(h) <= Math.abs(taken)) {
                        h = taken * change(error);
                    }
                    requireStep(h, whole, s);
                }
            }
            step = Math.abs(h);
            return scope.keep(at == y ? y.alias() : at);
        }
    }

    private static void requireStep(double h, double whole, double s) {
        if (!(Math.abs(h) > LEAST_STEP * Math.abs(whole))) {
            throw new ArithmeticException(
                    "no step at " + s + " is small enough for the tolerance: raise rtol");
        }
    }

    private static double change(double error) {
        if (!Double.isFinite(error)) {
            return LEAST_CHANGE;
        }
        return Math.clamp(
                SAFETY * Math.pow(Math.max(error, 1e-10), -1 / 5.0), LEAST_CHANGE, GREATEST_CHANGE);
    }

    /** y + h·Σ weight·stage; without y, the sum alone. */
    private static Tensor combined(
            @Nullable Tensor y, List<Tensor> stages, double[] weights, double h) {
        Tensor sum = y;
        for (int i = 0; i < weights.length; i++) {
            if (weights[i] != 0) {
                sum =
                        sum == null
                                ? stages.get(i).times(h * weights[i])
                                : sum.plus(stages.get(i), h * weights[i]);
            }
        }
        return Objects.requireNonNull(sum);
    }

    /** The largest error of a sample, 1 where it is as large as the tolerance. */
    private double error(Tensor off, Tensor before, Tensor after) {
        Tensor allowed = before.abs().maximum(after.abs()).plus(1).times(tolerance);
        Tensor relative = off.dividedBy(allowed).to(DType.FLOAT64).flatten(1, -1); // [N,…]
        return relative.square().mean(false, 1).sqrt().max().item();
    }
}
