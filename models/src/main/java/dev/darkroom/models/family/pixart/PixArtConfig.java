package dev.darkroom.models.family.pixart;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.layers.TransformerOptions;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Attention;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;

/**
 * The shape of a PixArt transformer.
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
 * @param timeCondProjDim sinusoids of the guidance's weight, for a student that is told it; null
 *     for a network that is not
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

    /** A network that is not told the guidance. */
    public PixArtConfig(
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
            @Nullable Integer captionChannels) {
        this(
                numAttentionHeads,
                attentionHeadDim,
                inChannels,
                outChannels,
                numLayers,
                crossAttentionDim,
                attentionBias,
                sampleSize,
                patchSize,
                activation,
                normEps,
                interpolationScale,
                useAdditionalConditions,
                captionChannels,
                null);
    }

    /**
     * PixArt-α XL/2.
     *
     * @param sampleSize 128 for pictures of 1024 × 1024, 64 for 512, 32 for 256
     */
    public static PixArtConfig alphaXl2(int sampleSize) {
        return xl2(sampleSize, sampleSize == 128);
    }

    /**
     * PixArt-Σ XL/2.
     *
     * @param sampleSize 256 for pictures of 2048 × 2048, 128 for 1024, 64 for 512, 32 for 256
     */
    public static PixArtConfig sigmaXl2(int sampleSize) {
        return xl2(sampleSize, false);
    }

    private static PixArtConfig xl2(int sampleSize, boolean sizes) {
        return new PixArtConfig(
                16,
                72,
                4,
                8,
                28,
                1152,
                true,
                sampleSize,
                2,
                Activation.GELU_TANH,
                1e-6,
                interpolation(sampleSize),
                sizes,
                4096);
    }

    /** Coordinates count from pictures of 512 × 512, which have 64 rows of latents. */
    private static double interpolation(int sampleSize) {
        return Math.max(sampleSize / 64, 1);
    }

    /**
     * Reads a {@code config.json}. Missing options have the defaults of diffusers' {@code
     * PixArtTransformer2DModel}, which is what it reads the old {@code Transformer2DModel} as.
     *
     * @param warnings are told of unknown options
     * @throws IOException if it can't be read or is not supported
     */
    public static PixArtConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, PixArtConfig::of);
    }

    /** As {@link #read(Path, Warnings)}; an unknown option is an error. */
    public static PixArtConfig read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** As {@link #read(Path, Warnings)}, from a config that is part of another. */
    public static PixArtConfig of(ConfigReader json) {
        TransformerOptions.require(json, "ada_norm_single");
        if (json.isNull("cross_attention_dim")) {
            throw new IllegalArgumentException(
                    "cross_attention_dim null, blocks without attention to a text, is not"
                            + " supported");
        }
        json.ignore("num_embeds_ada_norm"); // of the kinds that embed classes
        int sampleSize = json.integer("sample_size", 128);
        Double interpolation = json.numberOrNull("interpolation_scale");
        Boolean sizes = json.flagOrNull("use_additional_conditions");
        int inChannels = json.integer("in_channels", 4);
        Integer outChannels =
                json.has("out_channels") ? json.integerOrNull("out_channels") : Integer.valueOf(8);
        return new PixArtConfig(
                json.integer("num_attention_heads", 16),
                json.integer("attention_head_dim", 72),
                inChannels,
                outChannels == null ? inChannels : outChannels,
                json.integer("num_layers", 28),
                json.integer("cross_attention_dim", 1152),
                json.flag("attention_bias", true),
                sampleSize,
                json.integer("patch_size", 2),
                TransformerOptions.activation(json),
                json.number("norm_eps", 1e-6),
                interpolation == null ? interpolation(sampleSize) : interpolation,
                sizes == null ? sampleSize == 128 : sizes,
                json.integerOrNull("caption_channels"),
                TransformerOptions.guidanceChannels(json));
    }

    /** Width of a token. */
    public int width() {
        return numAttentionHeads * attentionHeadDim;
    }

    /** Width of the text as it comes from the text encoder. */
    public int textWidth() {
        return captionChannels == null ? crossAttentionDim : captionChannels;
    }

    /** Attention of the tokens over others. */
    Attention.Sizes attention(int contextWidth) {
        return new Attention.Sizes(
                width(), contextWidth, numAttentionHeads, attentionHeadDim, attentionBias);
    }
}
