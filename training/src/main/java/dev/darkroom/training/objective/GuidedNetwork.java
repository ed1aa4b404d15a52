package dev.darkroom.training.objective;

import dev.darkroom.runtime.Tensor;

/**
 * A network that is told each sample's own time and guidance. One that was made for a single
 * guidance leaves it unread.
 */
@FunctionalInterface
public interface GuidedNetwork {
    /**
     * Predicts what a guided teacher would.
     *
     * @param x noisy latents {@code [N,C,…]}
     * @param timesteps each sample's, in the network's own unit {@code [N]}
     * @param guidance each sample's w, the guidance scale less 1 {@code [N]}
     * @return {@code [N,C,…]}, or {@code [N,2C,…]} with the variance's channels after the mean's
     */
    Tensor predict(Tensor x, Tensor timesteps, Tensor guidance);
}
