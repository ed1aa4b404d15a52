package dev.darkroom.models.family;

import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.nn.Weights;

/** A transformer over the patches of latents {@code [C,H,W]}, one token each. */
public abstract class PatchTransformer extends DiffusionNetwork {
    private final int latentChannels;
    private final int patchSize;
    private final int width;
    private final boolean takesGuidance;

    /**
     * Declares nothing: what a subclass is made of is its own.
     *
     * @param latentChannels C
     * @param patchSize rows and columns of a patch
     * @param width of a token
     * @param takesGuidance whether the weight of the guidance is an input
     */
    protected PatchTransformer(
            Weights w, int latentChannels, int patchSize, int width, boolean takesGuidance) {
        super(w);
        this.latentChannels = latentChannels;
        this.patchSize = patchSize;
        this.width = width;
        this.takesGuidance = takesGuidance;
    }

    @Override
    public final int latentChannels() {
        return latentChannels;
    }

    @Override
    public final long tokens(Shape latents) {
        return (latents.size(1) / patchSize) * (latents.size(2) / patchSize);
    }

    /** Those of a block: tokens, norms, queries, keys, values, the wide layer twice. */
    @Override
    public final long activations(long rows, Shape latents) {
        return 14L * rows * tokens(latents) * width;
    }

    @Override
    public final boolean takesGuidance() {
        return takesGuidance;
    }
}
