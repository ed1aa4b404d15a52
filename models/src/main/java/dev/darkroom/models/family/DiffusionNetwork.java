package dev.darkroom.models.family;

import dev.darkroom.models.diffusion.ConditionedNetwork;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

/** A module that predicts from noisy latents, for sampling and for training. */
public abstract class DiffusionNetwork extends Module implements ConditionedNetwork {
    protected DiffusionNetwork(Weights w) {
        super(w);
    }

    /** Channels of the latents. */
    public abstract int latentChannels();

    /**
     * Channels that it sees beside the noisy latents, as {@link
     * dev.darkroom.models.diffusion.Condition#SHOWN}: a mask and the latents of what it leaves.
     */
    public int shownChannels() {
        return 0;
    }

    /**
     * How many tokens latents become.
     *
     * @param latents of one picture, such as {@code [C,h,w]}
     */
    public abstract long tokens(Shape latents);

    /**
     * About how many numbers are alive at once in an evaluation, beside the weights.
     *
     * @param rows of the batch
     * @param latents of one picture, such as {@code [C,h,w]}
     */
    public abstract long activations(long rows, Shape latents);

    /**
     * Whether the weight of the guidance is one of the network's inputs, as in a student that was
     * distilled for a range of it; then it needs no evaluation without the condition.
     */
    public boolean takesGuidance() {
        return false;
    }
}
