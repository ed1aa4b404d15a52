package dev.darkroom.models.vae;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Activation;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The options of {@link AutoencoderKl}; names and defaults are those of diffusers' {@code
 * AutoencoderKL}.
 *
 * @param inChannels of images that are encoded
 * @param outChannels of images that are decoded
 * @param downBlocks the encoder's levels, from pixels to latents; true where a level has attention
 * @param upBlocks the decoder's levels, from latents to pixels; true where a level has attention
 * @param blockOutChannels channels of each level, from pixels to latents
 * @param layersPerBlock residual blocks in a level of the encoder; the decoder has one more
 * @param activation inside residual blocks
 * @param latentChannels of the latents
 * @param normGroups groups of the group norms
 * @param scalingFactor what the diffusion model's latents are the encoder's multiplied by
 * @param shiftFactor what is subtracted before; null for nothing
 * @param latentsMean of each channel of the latents, instead of a shift; null for none
 * @param latentsStd standard deviation of each channel; null for none
 * @param forceUpcast whether float16 overflows, so that float32 takes its place
 * @param quantConv whether the encoder ends with a 1×1 convolution
 * @param postQuantConv whether the decoder begins with a 1×1 convolution
 * @param midBlockAttention whether the lowest level has attention
 */
public record AutoencoderKlConfig(
        int inChannels,
        int outChannels,
        List<Boolean> downBlocks,
        List<Boolean> upBlocks,
        List<Integer> blockOutChannels,
        int layersPerBlock,
        Activation activation,
        int latentChannels,
        int normGroups,
        double scalingFactor,
        @Nullable Double shiftFactor,
        @Nullable List<Double> latentsMean,
        @Nullable List<Double> latentsStd,
        boolean forceUpcast,
        boolean quantConv,
        boolean postQuantConv,
        boolean midBlockAttention) {

    /** More levels or layers than anyone has: what a damaged config may ask for. */
    private static final int MAX_LEVELS = 16;

    private static final int MAX_LAYERS = 100;

    /** Checks that sizes fit together. */
    public AutoencoderKlConfig {
        downBlocks = List.copyOf(downBlocks);
        upBlocks = List.copyOf(upBlocks);
        blockOutChannels = List.copyOf(blockOutChannels);
        require(inChannels >= 1, "in_channels", inChannels);
        require(outChannels >= 1, "out_channels", outChannels);
        require(
                layersPerBlock >= 1 && layersPerBlock <= MAX_LAYERS,
                "layers_per_block",
                layersPerBlock);
        require(latentChannels >= 1, "latent_channels", latentChannels);
        require(normGroups >= 1, "norm_num_groups", normGroups);
        require(
                Double.isFinite(scalingFactor) && scalingFactor != 0,
                "scaling_factor",
                scalingFactor);
        require(shiftFactor == null || Double.isFinite(shiftFactor), "shift_factor", shiftFactor);
        require(
                !blockOutChannels.isEmpty() && blockOutChannels.size() <= MAX_LEVELS,
                "block_out_channels",
                blockOutChannels);
        for (int channels : blockOutChannels) {
            if (channels < 1 || channels % normGroups != 0) {
                throw new IllegalArgumentException(
                        "block_out_channels "
                                + blockOutChannels
                                + " do not divide into norm_num_groups "
                                + normGroups);
            }
        }
        requireSize("down_block_types", downBlocks, blockOutChannels.size(), "block_out_channels");
        requireSize("up_block_types", upBlocks, blockOutChannels.size(), "block_out_channels");
        requireSize("latents_mean", latentsMean, latentChannels, "latent_channels");
        requireSize("latents_std", latentsStd, latentChannels, "latent_channels");
        if ((latentsMean == null) != (latentsStd == null)) {
            throw new IllegalArgumentException(
                    "latents_mean and latents_std go together, but only one of them is given");
        }
        if (latentsMean != null && latentsStd != null) {
            latentsMean = List.copyOf(latentsMean);
            latentsStd = List.copyOf(latentsStd);
            require(latentsMean.stream().allMatch(Double::isFinite), "latents_mean", latentsMean);
            require(
                    latentsStd.stream().allMatch(std -> Double.isFinite(std) && std > 0),
                    "latents_std",
                    latentsStd);
            if (shiftFactor != null && shiftFactor != 0) {
                throw new IllegalArgumentException(
                        "shift_factor " + shiftFactor + " and latents_mean can't both be given");
            }
        }
    }

    private static void require(boolean holds, String option, @Nullable Object value) {
        if (!holds) {
            throw new IllegalArgumentException(option + " can't be " + value);
        }
    }

    private static void requireSize(
            String option, @Nullable List<?> values, int size, String other) {
        if (values != null && values.size() != size) {
            throw new IllegalArgumentException(
                    option
                            + " must have "
                            + size
                            + " elements, as "
                            + other
                            + " says, not "
                            + values.size());
        }
    }

    /**
     * Reads a {@code config.json}.
     *
     * @param warnings are told of unknown options
     * @throws IOException if it can't be read, or an option is not supported
     */
    public static AutoencoderKlConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, AutoencoderKlConfig::of);
    }

    /** As {@link #read(Path, Warnings)}; an unknown option is an error. */
    public static AutoencoderKlConfig read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** As {@link #read(Path, Warnings)}, from a config that is part of another. */
    public static AutoencoderKlConfig of(ConfigReader json) {
        json.ignore("sample_size"); // only a default for tiling
        return new AutoencoderKlConfig(
                json.integer("in_channels", 3),
                json.integer("out_channels", 3),
                attention(json, "down_block_types", "DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
                attention(json, "up_block_types", "UpDecoderBlock2D", "AttnUpDecoderBlock2D"),
                json.integers("block_out_channels", List.of(64)),
                json.integer("layers_per_block", 1),
                Activation.parse(json.text("act_fn", "silu")),
                json.integer("latent_channels", 4),
                json.integer("norm_num_groups", 32),
                json.number("scaling_factor", 0.18215),
                json.numberOrNull("shift_factor"),
                json.numbersOrNull("latents_mean"),
                json.numbersOrNull("latents_std"),
                json.flag("force_upcast", true),
                json.flag("use_quant_conv", true),
                json.flag("use_post_quant_conv", true),
                json.flag("mid_block_add_attention", true));
    }

    /** Which levels have attention, by the names of their types. */
    private static List<Boolean> attention(
            ConfigReader json, String option, String plain, String withAttention) {
        return json.texts(option, List.of(plain)).stream()
                .map(
                        type -> {
                            if (!type.equals(plain) && !type.equals(withAttention)) {
                                throw new IllegalArgumentException(
                                        option
                                                + " \""
                                                + type
                                                + "\" is not supported, only "
                                                + plain
                                                + " and "
                                                + withAttention);
                            }
                            return type.equals(withAttention);
                        })
                .toList();
    }

    /** Pixels per latent position along a side: 8 for four levels. */
    public int downsampling() {
        return 1 << blockOutChannels.size() - 1;
    }
}
