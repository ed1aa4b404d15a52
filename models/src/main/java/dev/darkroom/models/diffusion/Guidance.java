package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * How the estimates under several conditions become one. Which conditions there are is said by
 * name, and how they are batched is the {@link Evaluator}'s business. A guidance is stateless; what
 * one remembers from step to step belongs to that {@linkplain #over of one run}.
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

    /**
     * This guidance for one run, for those that act in some of the steps or remember the last.
     *
     * @param evaluations the levels at which the denoiser is called, in order
     * @param zeros makes zeros with the shape of the latents, which live as long as the run
     */
    default Guidance over(List<NoiseLevel> evaluations, Supplier<Tensor> zeros) {
        Objects.requireNonNull(evaluations, "evaluations");
        Objects.requireNonNull(zeros, "zeros");
        return this;
    }

    /**
     * This guidance with the weight of a request.
     *
     * @param scale 1 or less for none
     */
    default Guidance scaled(double scale) {
        return this;
    }

    /** How the network is perturbed under {@link Evaluator#PERTURBED}; null if it is not asked. */
    default @Nullable Perturbation perturbation() {
        return null;
    }

    /** The guided denoiser that solvers call. */
    default Denoiser with(Evaluator evaluator) {
        return new Denoiser() {
            @Override
            public Denoised denoise(Tensor x, NoiseLevel at) {
                return Guidance.this.denoise(x, at, evaluator);
            }

            @Override
            public Denoiser towards(NoiseLevel end) {
                return with(evaluator.towards(end));
            }
        };
    }

    /** The greatest number of conditions that are asked for together. */
    default int width() {
        return evaluations().stream().mapToInt(List::size).max().orElse(1);
    }
}
