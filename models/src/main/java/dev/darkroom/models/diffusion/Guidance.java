package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.List;

/**
 * How the estimates under several conditions become one. Stateless; which conditions there are is
 * said by name, and how they are batched is the {@link Evaluator}'s business.
 */
public interface Guidance {
    /** The condition as it is. */
    Guidance NONE =
            new Guidance() {
                @Override
                public List<List<String>> evaluations() {
                    return List.of(List.of(Evaluator.CONDITIONAL));
                }

                @Override
                public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
                    return evaluator.conditional(x, at);
                }
            };

    /** Names of conditions that are asked for together: a list for each kind of evaluation. */
    List<List<String>> evaluations();

    /**
     * Denoises under guidance.
     *
     * @param x latents {@code [N,C,…]}
     * @param at the level of their noise
     */
    Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator);

    /** The guided denoiser that solvers call. */
    default Denoiser with(Evaluator evaluator) {
        return (x, at) -> denoise(x, at, evaluator);
    }

    /** The greatest number of conditions that are asked for together. */
    default int width() {
        return evaluations().stream().mapToInt(List::size).max().orElse(1);
    }
}
