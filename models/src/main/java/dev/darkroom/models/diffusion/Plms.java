package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Pseudo linear multistep methods (Liu et al. 2022, arXiv:2202.09778): DDIM's steps along a
 * combination of the last four outputs of the network. The first steps have fewer, and start in one
 * of two ways: with a step along the mean of the outputs at both of its ends, as latent diffusion
 * has it, or with three of Runge and Kutta's.
 */
final class Plms {
    private static final String NAME = "PLMS";
    private static final int RUNGE_KUTTA_STEPS = 3;

    private Plms() {}

    /**
     * Solves as latent diffusion does; one evaluation per step, and one more in the first. Order 2.
     *
     * @param levels of any form, with noise in all but the last
     * @param evaluations the levels at which the denoiser is called, in order: the first step is
     *     taken once more after the second
     * @param prediction which of the network's outputs are combined
     * @param after where a step ends that is evaluated at a level; null for the next level
     * @param before where the first step begins, when it is taken once more from its end; null for
     *     the first level
     * @throws IllegalArgumentException if the levels are others
     */
    static Tensor solve(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            List<NoiseLevel> evaluations,
            Preconditioning prediction,
            @Nullable UnaryOperator<NoiseLevel> after,
            @Nullable UnaryOperator<NoiseLevel> before,
            StepListener on) {
        Levels.requireNoiseBeforeTheLast(NAME, levels);
        try (var history = new History(LinearMultistep.MOST);
                var walk = new Walk(evaluations.size(), on)) {
            Tensor latents = x;
            for (int i = 0; i < evaluations.size(); i++) {
                NoiseLevel at = evaluations.get(i);
                try (var scope = TensorScope.open()) {
                    Denoised denoised = denoiser.denoise(latents, at);
                    Tensor output = prediction.output(denoised.x0(), latents, at);
                    Tensor moved;
                    if (i == 1) { // the first step once more, from the start
                        Tensor first = history.latestFirst().next().output();
                        NoiseLevel from = before == null ? levels.getFirst() : before.apply(at);
                        Tensor mean = output.plus(first).dividedBy(2);
                        moved = LinearMultistep.moved(x, mean, prediction, from, at);
                    } else {
                        history.add(at, output);
                        NoiseLevel next = levels.get(i == 0 ? 1 : i);
                        NoiseLevel to = after == null ? next : after.apply(at);
                        Tensor combined = LinearMultistep.adamsBashforth(history);
                        moved = LinearMultistep.moved(latents, combined, prediction, at, to);
                    }
                    latents = walk.moved(scope, at, moved, denoised);
                }
            }
            return walk.end(latents);
        }
    }

    /** The levels at which the denoiser is called, in order: the second one twice. */
    static List<NoiseLevel> evaluations(List<NoiseLevel> levels) {
        List<NoiseLevel> evaluations = new ArrayList<>(levels.subList(0, levels.size() - 1));
        if (evaluations.size() > 1) {
            evaluations.add(1, evaluations.get(1));
        }
        return evaluations;
    }

    /**
     * Solves as the paper does (algorithm 2): three steps of Runge and Kutta with four evaluations
     * each, and one evaluation in the steps that follow. A step to no noise has one. As the steps
     * are taken for equal, the order is 2; it is 4 at equal steps of a flow.
     *
     * @param levels of any form, with noise in all but the last
     * @param prediction which of the network's outputs are combined
     * @param steps where a step goes
     * @throws IllegalArgumentException if the levels are others
     */
    static Tensor rungeKutta(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            Preconditioning prediction,
            Steps steps,
            StepListener on) {
        Levels.requireNoiseBeforeTheLast(NAME, levels);
        try (var history = new History(LinearMultistep.MOST);
                var walk = new Walk(evaluations(levels, steps).size(), on)) {
            Tensor latents = x;
            for (int i = 0; i + 1 < levels.size(); i++) {
                NoiseLevel at = levels.get(i);
                NoiseLevel to = steps.end(at, levels.get(i + 1));
                try (var scope = TensorScope.open()) {
                    Denoised denoised = denoiser.denoise(latents, at);
                    Tensor output = prediction.output(denoised.x0(), latents, at);
                    history.add(at, output);
                    if (!isRungeKutta(i, to)) {
                        Tensor combined = LinearMultistep.adamsBashforth(history);
                        Tensor moved = LinearMultistep.moved(latents, combined, prediction, at, to);
                        latents = walk.moved(scope, at, moved, denoised);
                        continue;
                    }
                    Tensor start = latents;
                    NoiseLevel middle = steps.middle(at, to);
                    Tensor sum = output;
                    Tensor guess = LinearMultistep.moved(start, output, prediction, at, middle);
                    walk.evaluated(at, guess, denoised);
                    for (NoiseLevel end : List.of(middle, to)) {
                        try (var stage = TensorScope.open()) {
                            Denoised there = denoiser.denoise(guess, middle);
                            Tensor slope = prediction.output(there.x0(), guess, middle);
                            guess =
                                    stage.keep(
                                            LinearMultistep.moved(
                                                    start, slope, prediction, at, end));
                            sum = stage.keep(sum.plus(slope, 2));
                            walk.evaluated(middle, guess, there);
                        }
                    }
                    Denoised there = denoiser.denoise(guess, to);
                    sum = sum.plus(prediction.output(there.x0(), guess, to)).dividedBy(6);
                    Tensor moved = LinearMultistep.moved(start, sum, prediction, at, to);
                    latents = walk.moved(scope, to, moved, there);
                }
            }
            return walk.end(latents);
        }
    }

    private static boolean isRungeKutta(int step, NoiseLevel to) {
        return step < RUNGE_KUTTA_STEPS && to.sigma() > 0;
    }

    /** The levels at which {@link #rungeKutta} calls the denoiser, in order. */
    static List<NoiseLevel> evaluations(List<NoiseLevel> levels, Steps steps) {
        List<NoiseLevel> evaluations = new ArrayList<>();
        for (int i = 0; i + 1 < levels.size(); i++) {
            NoiseLevel at = levels.get(i);
            NoiseLevel to = steps.end(at, levels.get(i + 1));
            evaluations.add(at);
            if (isRungeKutta(i, to)) {
                NoiseLevel middle = steps.middle(at, to);
                evaluations.addAll(List.of(middle, middle, to));
            }
        }
        return evaluations;
    }

    /** Where a step goes. */
    interface Steps {
        /**
         * Steps along the levels. Between two is the mean of their sigmas on a flow, and elsewhere
         * the geometric mean of their noise-to-signal ratios.
         */
        Steps ALONG =
                new Steps() {
                    @Override
                    public NoiseLevel end(NoiseLevel at, NoiseLevel next) {
                        return next;
                    }

                    @Override
                    public NoiseLevel middle(NoiseLevel at, NoiseLevel end) {
                        if (Levels.isFlow(at) && Levels.isFlow(end)) {
                            double sigma = (at.sigma() + end.sigma()) / 2;
                            double time = (at.timestep() + end.timestep()) / 2;
                            return NoiseLevel.flow(sigma, time);
                        }
                        double from =
                                at.alpha() == 0 ? 4 * end.noiseToSignal() : at.noiseToSignal();
                        return Levels.between(at, end, Math.sqrt(from * end.noiseToSignal()));
                    }
                };

        /**
         * Where a step ends.
         *
         * @param next the level after that at which it starts
         */
        NoiseLevel end(NoiseLevel at, NoiseLevel next);

        /** Where it is evaluated between its start and its end. */
        NoiseLevel middle(NoiseLevel at, NoiseLevel end);
    }
}
