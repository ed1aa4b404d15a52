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
 * The shape of a DiT.
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
 * @param timeCondProjDim sinusoids of the guidance's weight, for a student that is told it; null
 *     for a network that is not
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

    /** A network that is not told the guidance. */
    public DitConfig(
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
            int numEmbedsAdaNorm) {
        this(
                numAttentionHeads,
                attentionHeadDim,
                inChannels,
                outChannels,
                numLayers,
                attentionBias,
                sampleSize,
                patchSize,
                activation,
                normEps,
                numEmbedsAdaNorm,
                null);
    }

    /**
     * DiT-XL/2 on ImageNet's classes.
     *
     * @param sampleSize 64 for pictures of 512 × 512, 32 for 256
     */
    public static DitConfig xl2(int sampleSize) {
        return new DitConfig(
                16, 72, 4, 8, 28, true, sampleSize, 2, Activation.GELU_TANH, 1e-5, 1000);
    }

    /**
     * Reads a {@code config.json}. Missing options have the defaults of diffusers' {@code
     * DiTTransformer2DModel}, which is what it reads the old {@code Transformer2DModel} as.
     *
     * @param warnings are told of unknown options
     * @throws IOException if it can't be read or is not supported
     */
    public static DitConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, DitConfig::of);
    }

    /** As {@link #read(Path, Warnings)}; an unknown option is an error. */
    public static DitConfig read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** As {@link #read(Path, Warnings)}, from a config that is part of another. */
    public static DitConfig of(ConfigReader json) {
        TransformerOptions.require(json, "ada_norm_zero");
        json.only("cross_attention_dim", (Object) null);
        if (json.isNull("num_embeds_ada_norm")) {
            throw new IllegalArgumentException(
                    "num_embeds_ada_norm null, a network without classes, is not supported");
        }
        int inChannels = json.integer("in_channels", 4);
        Integer outChannels = json.integerOrNull("out_channels");
        return new DitConfig(
                json.integer("num_attention_heads", 16),
                json.integer("attention_head_dim", 72),
                inChannels,
                outChannels == null ? inChannels : outChannels,
                json.integer("num_layers", 28),
                json.flag("attention_bias", true),
                json.integer("sample_size", 32),
                json.integer("patch_size", 2),
                TransformerOptions.activation(json),
                json.number("norm_eps", 1e-5),
                json.integer("num_embeds_ada_norm", 1000),
                TransformerOptions.guidanceChannels(json));
    }

    /** Width of a token. */
    public int width() {
        return numAttentionHeads * attentionHeadDim;
    }

    /** The label that stands for no class: the one after the last. */
    public int nullClass() {
        return numEmbedsAdaNorm;
    }

    /** Attention of the tokens over each other. */
    Attention.Sizes attention() {
        return new Attention.Sizes(
                width(), width(), numAttentionHeads, attentionHeadDim, attentionBias);
    }
}
