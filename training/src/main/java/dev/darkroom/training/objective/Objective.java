package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.Network;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;

/** What a diffusion network is trained to. */
public interface Objective {
    /**
     * Returns the loss of a batch. All that is random is drawn on the CPU, so that a seed gives the
     * same everywhere.
     *
     * @param network is trained
     * @param clean data {@code [N,C,…]}
     * @return a scalar, float32, in the caller's scope
     */
    Tensor loss(Network network, Tensor clean, Generator generator);
}
