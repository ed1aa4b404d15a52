package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/**
 * A network with its {@link Condition} bound: what is left are the latents and the time. Sampling
 * and training call the same one.
 */
@FunctionalInterface
public interface Network {
    /**
     * Predicts, in the sense of its {@link Prediction}.
     *
     * @param x latents as the network expects them {@code [N,C,…]}
     * @param timesteps each sample's, in the network's own unit {@code [N]}, or {@code [1]} for all
     * @return {@code [N,C,…]}, or {@code [N,2C,…]} with the variance's channels after the mean's
     */
    Tensor predict(Tensor x, Tensor timesteps);

    /**
     * Predicts for steps that end at other times, as a {@link FlowMapNetwork} does.
     *
     * @param x as for {@link #predict(Tensor, Tensor)}
     * @param timesteps as there
     * @param ends the times where each sample's step ends, in the same unit and shape
     * @throws IllegalArgumentException if the network takes one time alone
     */
    default Tensor predict(Tensor x, Tensor timesteps, Tensor ends) {
        throw new IllegalArgumentException(
                "this network takes the time of its input, but not the time where a step ends, as"
                    + " the students of flow maps do; choose another sampler than flow-map, and to"
                    + " train a flow map a network of two times");
    }
}
