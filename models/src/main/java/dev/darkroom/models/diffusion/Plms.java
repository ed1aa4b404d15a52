package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The pseudo linear multistep method (Liu et al. 2022, arXiv:2202.09778, algorithm 2 with equations
 * 9 and 12), as latent diffusion has it: DDIM's steps along a combination of the last four outputs
 * of the network. It starts with a step along the mean of the outputs at both of its ends instead
 * of Runge and Kutta's.
 */
final class Plms {
    private static final String NAME = "PLMS";

    /** What the outputs are multiplied by, latest first: the method of Adams and Bashforth. */
    private static final double[][] COEFFICIENTS = {
        {1},
        {3.0 / 2, -1.0 / 2},
        {23.0 / 12, -16.0 / 12, 5.0 / 12},
        {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24}
    };

    private Plms() {}

    /**
     * Solves; one evaluation per step, and one more in the first. Order 2.
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
            Prediction prediction,
            @Nullable UnaryOperator<NoiseLevel> after,
            @Nullable UnaryOperator<NoiseLevel> before,
            StepListener on) {
        Levels.requireNoiseBeforeTheLast(NAME, levels);
        try (var history = new History(COEFFICIENTS.length);
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
                        moved = moved(x, mean, prediction, from, at);
                    } else {
                        history.add(at, output);
                        NoiseLevel next = levels.get(i == 0 ? 1 : i);
                        NoiseLevel to = after == null ? next : after.apply(at);
                        moved = moved(latents, combined(history), prediction, at, to);
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

    private static Tensor combined(History history) {
        double[] coefficients = COEFFICIENTS[Math.min(history.steps(), COEFFICIENTS.length) - 1];
        Iterator<History.Past> past = history.latestFirst();
        Tensor sum = past.next().output().times(coefficients[0]);
        for (int i = 1; i < coefficients.length; i++) {
            sum = sum.plus(past.next().output(), coefficients[i]);
        }
        return sum;
    }

    /** DDIM's step from x along an output. */
    private static Tensor moved(
            Tensor x, Tensor output, Prediction prediction, NoiseLevel from, NoiseLevel to) {
        Tensor x0 = prediction.denoised(output, x, from);
        return to.noised(x0, new Denoised(x0).noise(x, from));
    }
}
