package dev.darkroom.models.family.dit;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.layers.TransformerBuilder;
import dev.darkroom.models.layers.TransformerOptions;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Attention;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;

/**
 * The config of a {@link DitTransformer}; names and defaults are those of diffusers.
 *
 * @param numAttentionHeads attention heads
 * @param attentionHeadDim width of each
 * @param inChannels channels of the latents
 * @param outChannels channels of the prediction; twice inChannels if there is a variance in it
 * @param numLayers blocks
 * @param attentionBias whether queries, keys and values have a bias
 * @param sampleSize rows and columns of the latents trained with
 * @param patchSize rows and columns of a patch
 * @param activation of the feed-forward networks
 * @param normEps added to the variance in the norm before a feed-forward network
 * @param numEmbedsAdaNorm classes
 * @param timeCondProjDim sinusoids of the distilled guidance; null for a network that is not
 *     conditioned on one
 * @param secondTime how a network of two times is conditioned on the second; null for one time
 */
public record DitConfig(
        int numAttentionHeads,
        int attentionHeadDim,
        int inChannels,
        int outChannels,
        int numLayers,
        boolean attentionBias,
        int sampleSize,
        int patchSize,
        Activation activation,
        double normEps,
        int numEmbedsAdaNorm,
        @Nullable Integer timeCondProjDim,
        @Nullable SecondTime secondTime) {

    public DitConfig {
        TransformerOptions.requireSizes(
                numAttentionHeads,
                attentionHeadDim,
                Math.min(inChannels, outChannels),
                numLayers,
                sampleSize,
                patchSize);
        if (numEmbedsAdaNorm < 1 || !(normEps > 0)) {
            throw new IllegalArgumentException(
                    "num_embeds_ada_norm and norm_eps must be positive, not "
                            + numEmbedsAdaNorm
                            + " and "
                            + normEps);
        }
        TransformerOptions.requireGuidanceChannels(timeCondProjDim);
    }

    /**
     * Returns the config of DiT-XL/2 on ImageNet's classes.
     *
     * @param sampleSize 64 for pictures of 512 × 512, 32 for 256
     */
    public static DitConfig xl2(int sampleSize) {
        return builder().outChannels(8).sampleSize(sampleSize).build();
    }

    /**
     * Reads a {@code config.json}. Missing options have the defaults of diffusers' {@code
     * DiTTransformer2DModel}, which is what it reads the old {@code Transformer2DModel} as.
     *
     * @param warnings collect the unknown options
     * @throws IOException if it can't be read or is not supported
     */
    public static DitConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, DitConfig::of);
    }

    /** Reads a config as {@link #read(Path, Warnings)} does; an unknown option is an error. */
    public static DitConfig read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** Reads a config as {@link #read(Path, Warnings)} does, from one that is part of another. */
    public static DitConfig of(ConfigReader json) {
        TransformerOptions.require(json, "ada_norm_zero");
        json.only("cross_attention_dim", (Object) null);
        if (json.isNull("num_embeds_ada_norm")) {
            throw new IllegalArgumentException(
                    "num_embeds_ada_norm null, a network without classes, is not supported");
        }
        var missing = builder();
        return builder()
                .read(json)
                .numEmbedsAdaNorm(json.integer("num_embeds_ada_norm", missing.numEmbedsAdaNorm))
                .secondTime(SecondTime.read(json))
                .build();
    }

    /** Returns the width of a token. */
    public int width() {
        return numAttentionHeads * attentionHeadDim;
    }

    /** Returns the label that stands for no class: the one after the last. */
    public int nullClass() {
        return numEmbedsAdaNorm;
    }

    /** Returns the sizes of the attention of the tokens to each other. */
    Attention.Sizes attention() {
        return new Attention.Sizes(
                width(), width(), numAttentionHeads, attentionHeadDim, attentionBias);
    }

    // ---- Named values ----

    /** Starts a config with the reference's defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The values of a {@link DitConfig} by name. Those that are not set are the defaults of
     * diffusers' {@code DiTTransformer2DModel}: a null {@code outChannels} stands for as many as
     * {@code inChannels}.
     */
    public static final class Builder extends TransformerBuilder<Builder> {
        private int numEmbedsAdaNorm = 1000;
        private @Nullable SecondTime secondTime;

        private Builder() {
            super(null, 32, 1e-5);
        }

        @Override
        protected Builder self() {
            return this;
        }

        public Builder numEmbedsAdaNorm(int numEmbedsAdaNorm) {
            this.numEmbedsAdaNorm = numEmbedsAdaNorm;
            return this;
        }

        /** Sets how a network is conditioned on a second time; null for one that takes none. */
        public Builder secondTime(@Nullable SecondTime secondTime) {
            this.secondTime = secondTime;
            return this;
        }

        /**
         * Makes the config.
         *
         * @throws IllegalArgumentException if the values do not fit together
         */
        public DitConfig build() {
            return new DitConfig(
                    numAttentionHeads,
                    attentionHeadDim,
                    inChannels,
                    outputs(),
                    numLayers,
                    attentionBias,
                    sampleSize,
                    patchSize,
                    activation,
                    normEps,
                    numEmbedsAdaNorm,
                    timeCondProjDim,
                    secondTime);
        }
    }
}
