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
}
