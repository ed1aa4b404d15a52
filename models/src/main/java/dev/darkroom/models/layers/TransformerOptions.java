package dev.darkroom.models.layers;

import dev.darkroom.models.config.ConfigReader;

import org.jspecify.annotations.Nullable;

import java.util.Locale;

/**
 * Options that diffusers' patch transformers share, in the old class {@code Transformer2DModel}
 * too.
 */
public final class TransformerOptions {
    /** The number of sinusoids of the distilled guidance, as diffusers' U-Nets have it. */
    public static final String GUIDANCE_CHANNELS = "time_cond_proj_dim";

    private TransformerOptions() {}

    /**
     * Checks the options that choose between kinds of networks.
     *
     * @param normType the kind of conditioning that the caller is
     */
    public static void require(ConfigReader json, String normType) {
        json.ignore("dropout", "norm_num_groups"); // training only; of other kinds
        json.ignore("upcast_attention"); // attention accumulates in float32 anyhow
        json.only("norm_type", normType);
        json.only("norm_elementwise_affine", false);
        json.only("attention_type", "default");
        json.only("double_self_attention", false);
        json.only("only_cross_attention", false);
        json.only("use_linear_projection", false);
        json.only("num_vector_embeds", (Object) null);
    }

    /** Requires an even number of sinusoids of the distilled guidance, if there are any. */
    public static void requireGuidanceChannels(@Nullable Integer channels) {
        if (channels != null && (channels < 4 || channels % 2 != 0)) {
            throw new IllegalArgumentException(
                    GUIDANCE_CHANNELS + " must be an even number from 4, not " + channels);
        }
    }

    /** Requires positive sizes which the tokens' positions and the patches divide. */
    public static void requireSizes(
            int heads, int headWidth, int channels, int layers, int sampleSize, int patchSize) {
        if (heads < 1 || headWidth < 1 || channels < 1 || layers < 1 || patchSize < 1) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "sizes must be at least 1: num_attention_heads %d, attention_head_dim"
                                    + " %d, channels %d, num_layers %d, patch_size %d",
                            heads,
                            headWidth,
                            channels,
                            layers,
                            patchSize));
        }
        if ((long) heads * headWidth % 4 != 0) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "num_attention_heads %d · attention_head_dim %d must be a multiple of"
                                    + " 4",
                            heads,
                            headWidth));
        }
        if (sampleSize < patchSize) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "sample_size %d must be at least patch_size %d",
                            sampleSize,
                            patchSize));
        }
    }
}
