package dev.darkroom.models.family.pixart;

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
 * The config of a {@link PixArtTransformer}; names and defaults are those of diffusers.
 *
 * @param numAttentionHeads attention heads
 * @param attentionHeadDim width of each
 * @param inChannels channels of the latents
 * @param outChannels channels of the prediction; twice inChannels if there is a variance in it
 * @param numLayers blocks
 * @param crossAttentionDim width of the text as the blocks see it
 * @param attentionBias whether queries, keys and values have a bias
 * @param sampleSize rows and columns of the latents trained with
 * @param patchSize rows and columns of a patch
 * @param activation of the feed-forward networks
 * @param normEps added to the variance in the blocks' norms
 * @param interpolationScale divides the coordinates of patches
 * @param useAdditionalConditions whether the picture's size is a condition
 * @param captionChannels width of the text, which is projected; null if it already has
 *     crossAttentionDim
 * @param timeCondProjDim sinusoids of the distilled guidance; null for a network that is not
 *     conditioned on one
 */
public record PixArtConfig(
        int numAttentionHeads,
        int attentionHeadDim,
        int inChannels,
        int outChannels,
        int numLayers,
        int crossAttentionDim,
        boolean attentionBias,
        int sampleSize,
        int patchSize,
        Activation activation,
        double normEps,
        double interpolationScale,
        boolean useAdditionalConditions,
        @Nullable Integer captionChannels,
        @Nullable Integer timeCondProjDim) {

    public PixArtConfig {
        TransformerOptions.requireSizes(
                numAttentionHeads,
                attentionHeadDim,
                Math.min(inChannels, outChannels),
                numLayers,
                sampleSize,
                patchSize);
        int width = numAttentionHeads * attentionHeadDim;
        if (!(interpolationScale > 0) || !(normEps > 0)) {
            throw new IllegalArgumentException(
                    "interpolation_scale and norm_eps must be positive, not "
                            + interpolationScale
                            + " and "
                            + normEps);
        }
        if (useAdditionalConditions && width % 3 != 0) {
            throw new IllegalArgumentException(
                    "use_additional_conditions needs num_attention_heads · attention_head_dim = "
                            + width
                            + " to be a multiple of 3");
        }
        if (crossAttentionDim < 1 || (captionChannels != null && captionChannels < 1)) {
            throw new IllegalArgumentException(
                    "cross_attention_dim and caption_channels must be at least 1, not "
                            + crossAttentionDim
                            + " and "
                            + captionChannels);
        }
        if (captionChannels != null && crossAttentionDim != width) {
            throw new IllegalArgumentException(
                    "cross_attention_dim "
                            + crossAttentionDim
                            + " must be num_attention_heads ·"
                            + " attention_head_dim = "
                            + width
                            + " where there are caption_channels");
        }
        TransformerOptions.requireGuidanceChannels(timeCondProjDim);
    }

    /**
     * Returns the config of PixArt-α XL/2.
     *
     * @param sampleSize 128 for pictures of 1024 × 1024, 64 for 512, 32 for 256
     */
    public static PixArtConfig alphaXl2(int sampleSize) {
        return builder().sampleSize(sampleSize).captionChannels(4096).build();
    }

    /**
     * Returns the config of PixArt-Σ XL/2.
     *
     * @param sampleSize 256 for pictures of 2048 × 2048, 128 for 1024, 64 for 512, 32 for 256
     */
    public static PixArtConfig sigmaXl2(int sampleSize) {
        return builder()
                .sampleSize(sampleSize)
                .useAdditionalConditions(false)
                .captionChannels(4096)
                .build();
    }

    /**
     * Returns the default of interpolation_scale: coordinates count from pictures of 512 × 512,
     * which have 64 rows of latents.
     */
    private static double interpolation(int sampleSize) {
        return Math.max(sampleSize / 64, 1);
    }

    /**
     * Reads a {@code config.json}. Missing options have the defaults of diffusers' {@code
     * PixArtTransformer2DModel}, which is what it reads the old {@code Transformer2DModel} as.
     *
     * @param warnings collect the unknown options
     * @throws IOException if it can't be read or is not supported
     */
    public static PixArtConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, PixArtConfig::of);
    }

    /** Reads a config as {@link #read(Path, Warnings)} does; an unknown option is an error. */
    public static PixArtConfig read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** Reads a config as {@link #read(Path, Warnings)} does, from one that is part of another. */
    public static PixArtConfig of(ConfigReader json) {
        TransformerOptions.require(json, "ada_norm_single");
        if (json.isNull("cross_attention_dim")) {
            throw new IllegalArgumentException(
                    "cross_attention_dim null, blocks without attention to a text, is not"
                            + " supported");
        }
        json.ignore("num_embeds_ada_norm"); // of the kinds that embed classes
        var missing = builder();
        return builder()
                .read(json)
                .crossAttentionDim(json.integer("cross_attention_dim", missing.crossAttentionDim))
                .interpolationScale(json.numberOrNull("interpolation_scale"))
                .useAdditionalConditions(json.flagOrNull("use_additional_conditions"))
                .captionChannels(json.integerOrNull("caption_channels"))
                .build();
    }

    /** Returns the width of a token. */
    public int width() {
        return numAttentionHeads * attentionHeadDim;
    }

    /** Returns the width of the text as it comes from the text encoder. */
    public int textWidth() {
        return captionChannels == null ? crossAttentionDim : captionChannels;
    }

    /** Returns the sizes of the attention of the tokens to a context. */
    Attention.Sizes attention(int contextWidth) {
        return new Attention.Sizes(
                width(), contextWidth, numAttentionHeads, attentionHeadDim, attentionBias);
    }

    // ---- Named values ----

    /** Starts a config with the reference's defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The values of a {@link PixArtConfig} by name. Those that are not set are the defaults of
     * diffusers' {@code PixArtTransformer2DModel}: a null {@code outChannels} stands for as many as
     * {@code inChannels}, and a null {@code interpolationScale} or {@code useAdditionalConditions}
     * follows from {@code sampleSize}.
     */
    public static final class Builder extends TransformerBuilder<Builder> {
        private int crossAttentionDim = 1152;
        private @Nullable Double interpolationScale;
        private @Nullable Boolean useAdditionalConditions;
        private @Nullable Integer captionChannels;

        private Builder() {
            super(8, 128, 1e-6);
        }

        @Override
        protected Builder self() {
            return this;
        }

        public Builder crossAttentionDim(int crossAttentionDim) {
            this.crossAttentionDim = crossAttentionDim;
            return this;
        }

        public Builder interpolationScale(@Nullable Double interpolationScale) {
            this.interpolationScale = interpolationScale;
            return this;
        }

        public Builder useAdditionalConditions(@Nullable Boolean useAdditionalConditions) {
            this.useAdditionalConditions = useAdditionalConditions;
            return this;
        }

        public Builder captionChannels(@Nullable Integer captionChannels) {
            this.captionChannels = captionChannels;
            return this;
        }

        /**
         * Makes the config.
         *
         * @throws IllegalArgumentException if the values do not fit together
         */
        public PixArtConfig build() {
            return new PixArtConfig(
                    numAttentionHeads,
                    attentionHeadDim,
                    inChannels,
                    outputs(),
                    numLayers,
                    crossAttentionDim,
                    attentionBias,
                    sampleSize,
                    patchSize,
                    activation,
                    normEps,
                    interpolationScale == null ? interpolation(sampleSize) : interpolationScale,
                    useAdditionalConditions == null ? sampleSize == 128 : useAdditionalConditions,
                    captionChannels,
                    timeCondProjDim);
        }
    }
}
