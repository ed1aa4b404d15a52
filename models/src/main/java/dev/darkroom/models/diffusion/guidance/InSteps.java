package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.Tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * A guidance that acts in some of the steps, as in diffusers' guiders; the others see the condition
 * as it is. {@link dev.darkroom.models.diffusion.ClassifierFree} has the same by noise level
 * (Kynkäänniemi et al. 2024, arXiv:2404.07724).
 *
 * @param guidance of the steps between
 * @param start the share of the steps before it acts, from 0 to below 1
 * @param stop the share after which it does not, from {@code start} to 1
 */
public record InSteps(Guidance guidance, double start, double stop) implements Guidance {
    private static final List<String> ALONE = List.of(Evaluator.CONDITIONAL);

    public InSteps {
        Objects.requireNonNull(guidance, "guidance");
        requireShares(start, stop);
    }

    /**
     * Requires shares of the steps in order.
     *
     * @throws IllegalArgumentException if they are not
     */
    static void requireShares(double start, double stop) {
        if (!(start >= 0 && start < 1 && stop >= start && stop <= 1)) {
            throw new IllegalArgumentException(
                    "guidance acts from a share of the steps from 0 to below 1 up to another, not"
                            + " less and at most 1, not from "
                            + start
                            + " to "
                            + stop);
        }
    }

    /** The index of the first step that is not noisier than a level. */
    static int step(List<NoiseLevel> levels, NoiseLevel at) {
        return (int)
                levels.stream().filter(level -> level.noiseToSignal() > at.noiseToSignal()).count();
    }

    /** What a guidance asks for, and the condition alone. */
    static List<List<String>> withAlone(Guidance guidance, boolean alone) {
        var evaluations = new ArrayList<>(guidance.evaluations());
        if (alone && !evaluations.contains(ALONE)) {
            evaluations.add(ALONE);
        }
        return evaluations;
    }

    private boolean isWhole() {
        return start == 0 && stop == 1;
    }

    @Override
    public List<List<String>> evaluations() {
        return withAlone(guidance, !isWhole());
    }

    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        return guidance.denoise(x, at, evaluator);
    }

    @Override
    public Guidance over(List<NoiseLevel> levels, Supplier<Tensor> zeros) {
        Objects.requireNonNull(zeros, "zeros");
        Guidance inner = guidance.over(levels, zeros);
        if (isWhole()) {
            return inner;
        }
        List<NoiseLevel> run = List.copyOf(levels);
        int first = (int) (start * run.size());
        int end = (int) (stop * run.size());
        return new Guidance() {
            @Override
            public List<List<String>> evaluations() {
                return withAlone(inner, true);
            }

            @Override
            public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
                int step = step(run, at);
                return step >= first && step < end
                        ? inner.denoise(x, at, evaluator)
                        : evaluator.conditional(x, at);
            }
        };
    }
}
