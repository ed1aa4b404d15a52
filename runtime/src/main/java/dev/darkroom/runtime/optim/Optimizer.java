package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.Tensor;

import java.util.Map;

/**
 * Changes parameters along the gradients that they have accumulated. Not for use by several threads
 * at once. Closing frees the state, not the parameters.
 */
public interface Optimizer extends AutoCloseable {
    /**
     * Takes one step. Parameters without a gradient stay as they are, and so does their state.
     *
     * @param factor multiplies the learning rates of all groups; see {@link LearningRate}
     */
    void step(double factor);

    /** Drops the gradients of all parameters. */
    void zeroGrad();

    /**
     * Returns all state by name, such as {@code KEY.exp_avg}, in a fixed order: what a checkpoint
     * needs to go on as if nothing had happened. The tensors stay the optimizer's.
     */
    Map<String, Tensor> state();

    /**
     * Copies the values of a state that {@link #state} gave.
     *
     * @throws IllegalArgumentException if a tensor is missing, unexpected or has another shape; the
     *     state is then as before
     */
    void load(Map<String, Tensor> state);

    @Override
    void close();
}
