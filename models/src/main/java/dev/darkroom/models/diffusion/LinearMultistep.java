package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

/**
 * Linear multistep methods: each step goes along a combination of the last outputs of the network,
 * which costs one evaluation. They differ in what is combined, and in the shares:
 *
 * <ul>
 *   <li>those of Adams and Bashforth, which hold for equal steps and are taken for all: {@link
 *       Plms}, and {@link #improvedPndm};
 *   <li>integrals of the polynomial through the outputs, which hold for any steps: {@link #lms}.
 * </ul>
 */
final class LinearMultistep {
    private static final String LMS = "LMS";
    private static final String IPNDM = "iPNDM";

    /** What outputs are multiplied by, latest first: the method of Adams and Bashforth. */
    private static final double[][] ADAMS_BASHFORTH = {
        {1},
        {3.0 / 2, -1.0 / 2},
        {23.0 / 12, -16.0 / 12, 5.0 / 12},
        {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24}
    };

    /** The most outputs that are combined. */
    static final int MOST = ADAMS_BASHFORTH.length;

    private LinearMultistep() {}

    /** The last outputs with the shares of Adams and Bashforth, as many as there are. */
    static Tensor adamsBashforth(History history) {
        return combined(history, ADAMS_BASHFORTH[Math.min(history.steps(), MOST) - 1]);
    }

    private static Tensor combined(History history, double[] shares) {
        Iterator<History.Past> past = history.latestFirst();
        Tensor sum = past.next().output().times(shares[0]);
        for (int i = 1; i < shares.length; i++) {
            sum = sum.plus(past.next().output(), shares[i]);
        }
        return sum;
    }

    /** DDIM's step from x along an output. */
    static Tensor moved(
            Tensor x, Tensor output, Preconditioning prediction, NoiseLevel from, NoiseLevel to) {
        Tensor x0 = prediction.denoised(output, x, from);
        return to.noised(x0, new Denoised(x0).noise(x, from));
    }

    /**
     * The improved pseudo linear multistep method (Zhang and Chen 2022, arXiv:2204.13902): Adams
     * and Bashforth's on ε, with as many outputs in the first steps as there are. Order 2, as the
     * steps are taken for equal.
     *
     * @param levels of any form, with noise in all but the last and data in all but the first
     * @throws IllegalArgumentException if they are others
     */
    static Tensor improvedPndm(
            Denoiser denoiser, Tensor x, List<NoiseLevel> levels, StepListener on) {
        Levels.requireNoiseBeforeTheLast(IPNDM, levels);
        Levels.requireData(IPNDM, levels);
        try (var history = new History(MOST)) {
            return Walk.along(
                    denoiser,
                    x,
                    levels,
                    on,
                    (xi, denoised, at, next) -> {
                        history.add(at, denoised.noise(xi, at));
                        return along(xi, denoised, adamsBashforth(history), at, next);
                    });
        }
    }

    /**
     * The linear multistep method of k-diffusion: the polynomial through the last slopes dx̃/dσ̃,
     * integrated over the step (Adams and Bashforth's for steps of any length; on the ODE of Karras
     * et al. 2022, arXiv:2206.00364, equation 1). Its order is {@code order}, but above 2 only with
     * smaller steps at the start, where there are fewer slopes.
     *
     * @param levels as in {@link #improvedPndm}
     * @param order how many slopes are used, 1 to 4
     * @throws IllegalArgumentException if the levels are others
     */
    static Tensor lms(
            Denoiser denoiser, Tensor x, List<NoiseLevel> levels, int order, StepListener on) {
        if (order < 1 || order > MOST) {
            throw new IllegalArgumentException("LMS has an order from 1 to 4, not " + order);
        }
        Levels.requireNoiseBeforeTheLast(LMS, levels);
        boolean straight = Levels.areStraight(levels);
        if (!straight) {
            Levels.requireData(LMS, levels);
        }
        try (var history = new History(order)) {
            return Walk.along(
                    denoiser,
                    x,
                    levels,
                    on,
                    (xi, denoised, at, next) -> {
                        history.add(at, straight ? denoised.slope(xi, at) : denoised.noise(xi, at));
                        Tensor slope = combined(history, shares(history, straight, next));
                        return straight
                                ? xi.plus(slope, next.sigma() - at.sigma())
                                : along(xi, denoised, slope, at, next);
                    });
        }
    }

    /** Moves x/alpha along ε; from pure noise, where that is infinite, by the latest estimate. */
    private static Tensor along(
            Tensor x, Denoised denoised, Tensor epsilon, NoiseLevel at, NoiseLevel next) {
        if (at.alpha() == 0) {
            return next.noised(denoised.x0(), epsilon);
        }
        double kept = next.alpha() / at.alpha();
        return x.times(kept).plus(epsilon, next.sigma() - kept * at.sigma());
    }

    /** What each slope counts in the step to the next level, where all together count 1. */
    private static double[] shares(History history, boolean straight, NoiseLevel next) {
        List<Double> times = new ArrayList<>();
        for (Iterator<History.Past> past = history.latestFirst(); past.hasNext(); ) {
            double time = time(past.next().level(), straight);
            if (!times.isEmpty() && (Double.isInfinite(time) || times.contains(time))) {
                break; // pure noise, or the same level again
            }
            times.add(time);
        }
        double from = times.getFirst();
        double step = time(next, straight) - from;
        if (step == 0 || times.size() == 1) {
            return new double[] {1};
        }
        double[] nodes = times.stream().mapToDouble(time -> (time - from) / step).toArray();
        double[] moments = new double[nodes.length];
        Arrays.setAll(moments, j -> 1.0 / (j + 1));
        return Quadrature.weights(nodes, moments);
    }

    private static double time(NoiseLevel level, boolean straight) {
        return straight ? level.sigma() : level.noiseToSignal();
    }
}
