package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/**
 * A network with everything bound that it is conditioned on, apart from the latents and the time.
 */
@FunctionalInterface
public interface Network {
    /**
     * Predicts, in the sense of its {@link Prediction}.
     *
     * @param x latents as the network expects them {@code [N,C,…]}
     * @param timestep the time, in the network's own unit
     * @return {@code [N,C,…]}, or {@code [N,2C,…]} with the variance's channels after the mean's
     */
    Tensor predict(Tensor x, double timestep);
}
