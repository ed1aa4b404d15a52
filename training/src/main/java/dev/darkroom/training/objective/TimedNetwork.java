package dev.darkroom.training.objective;

import dev.darkroom.runtime.Tensor;

/** A network that is told each sample's own time, with everything else bound. */
@FunctionalInterface
public interface TimedNetwork {
    /**
     * Predicts.
     *
     * @param x noisy latents {@code [N,C,…]}
     * @param timesteps each sample's, in the network's own unit {@code [N]}
     * @return {@code [N,C,…]}, or {@code [N,2C,…]} with the variance's channels after the mean's
     */
    Tensor predict(Tensor x, Tensor timesteps);
}
