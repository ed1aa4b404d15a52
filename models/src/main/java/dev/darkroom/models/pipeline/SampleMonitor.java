package dev.darkroom.models.pipeline;

import dev.darkroom.runtime.Tensor;

/**
 * Watches a run of {@link Pipeline#sample} and can end it. The methods are called on the pipeline's
 * thread; an exception from one ends the run and reaches the caller.
 */
public interface SampleMonitor {
    /** Watches nothing. */
    SampleMonitor NONE = new SampleMonitor() {};

    /**
     * An evaluation of the network is done. With samplers of higher order, several make a step.
     *
     * @param done evaluations so far, from 1
     * @param total evaluations of the whole run
     * @param latents where the sampler is now, {@code [N,C,H,W]}; valid during the call
     * @param denoised the estimate of the clean latents (x̂0), {@code [N,C,H,W]}; valid during the
     *     call, and what {@link Pipeline#preview} decodes
     */
    default void evaluated(int done, int total, Tensor latents, Tensor denoised) {}

    /**
     * A named intermediate result, by the names of the reference cases: {@code latents_init},
     * {@code prompt_embeds}, {@code prompt_mask}, {@code negative_embeds}, {@code negative_mask},
     * {@code timesteps}, {@code latents_00} …, {@code image}. Only for monitors that {@link
     * #traces}.
     *
     * @param value valid during the call
     */
    default void traced(String name, Tensor value) {}

    /** Whether {@link #traced} is to be called. */
    default boolean traces() {
        return false;
    }

    /** Asked before each evaluation of the network; true ends the run there. */
    default boolean isCancelled() {
        return false;
    }
}
