package dev.darkroom.models.family.dit;

import dev.darkroom.models.config.ConfigReader;
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
        @Nullable Integer timeCondProjDim) {

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
                .numAttentionHeads(json.integer("num_attention_heads", missing.numAttentionHeads))
                .attentionHeadDim(json.integer("attention_head_dim", missing.attentionHeadDim))
                .inChannels(json.integer("in_channels", missing.inChannels))
                .outChannels(json.integerOrNull("out_channels"))
                .numLayers(json.integer("num_layers", missing.numLayers))
                .attentionBias(json.flag("attention_bias", missing.attentionBias))
                .sampleSize(json.integer("sample_size", missing.sampleSize))
                .patchSize(json.integer("patch_size", missing.patchSize))
                .activation(TransformerOptions.activation(json))
                .normEps(json.number("norm_eps", missing.normEps))
                .numEmbedsAdaNorm(json.integer("num_embeds_ada_norm", missing.numEmbedsAdaNorm))
                .timeCondProjDim(TransformerOptions.guidanceChannels(json))
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
    public static final class Builder {
        private int numAttentionHeads = 16;
        private int attentionHeadDim = 72;
        private int inChannels = 4;
        private @Nullable Integer outChannels;
        private int numLayers = 28;
        private boolean attentionBias = true;
        private int sampleSize = 32;
        private int patchSize = 2;
        private Activation activation = Activation.GELU_TANH;
        private double normEps = 1e-5;
        private int numEmbedsAdaNorm = 1000;
        private @Nullable Integer timeCondProjDim;

        private Builder() {}

        public Builder numAttentionHeads(int numAttentionHeads) {
            this.numAttentionHeads = numAttentionHeads;
            return this;
        }

        public Builder attentionHeadDim(int attentionHeadDim) {
            this.attentionHeadDim = attentionHeadDim;
            return this;
        }

        public Builder inChannels(int inChannels) {
            this.inChannels = inChannels;
            return this;
        }

        public Builder outChannels(@Nullable Integer outChannels) {
            this.outChannels = outChannels;
            return this;
        }

        public Builder numLayers(int numLayers) {
            this.numLayers = numLayers;
            return this;
        }

        public Builder attentionBias(boolean attentionBias) {
            this.attentionBias = attentionBias;
            return this;
        }

        public Builder sampleSize(int sampleSize) {
            this.sampleSize = sampleSize;
            return this;
        }

        public Builder patchSize(int patchSize) {
            this.patchSize = patchSize;
            return this;
        }

        public Builder activation(Activation activation) {
            this.activation = activation;
            return this;
        }

        public Builder normEps(double normEps) {
            this.normEps = normEps;
            return this;
        }

        public Builder numEmbedsAdaNorm(int numEmbedsAdaNorm) {
            this.numEmbedsAdaNorm = numEmbedsAdaNorm;
            return this;
        }

        public Builder timeCondProjDim(@Nullable Integer timeCondProjDim) {
            this.timeCondProjDim = timeCondProjDim;
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
                    outChannels == null ? inChannels : outChannels,
                    numLayers,
                    attentionBias,
                    sampleSize,
                    patchSize,
                    activation,
                    normEps,
                    numEmbedsAdaNorm,
                    timeCondProjDim);
        }
    }
}
