package dev.darkroom.models.vae;

import static dev.darkroom.models.config.Option.require;
import static dev.darkroom.models.config.Option.requireSize;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.layers.ResnetBlock;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Activation;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The config of an {@link AutoencoderKl}; names and defaults are those of diffusers' {@code
 * AutoencoderKL}.
 *
 * @param inChannels channels of the images that are encoded
 * @param outChannels channels of the images that are decoded
 * @param downBlockAttention whether each block of the encoder has attention, from pixels to latents
 * @param upBlockAttention whether each block of the decoder has attention, from latents to pixels
 * @param blockOutChannels channels of each block, from pixels to latents
 * @param layersPerBlock residual blocks in a block of the encoder; the decoder has one more
 * @param activation in residual blocks
 * @param latentChannels channels of the latents
 * @param normGroups groups of the group norms
 * @param scalingFactor factor from the encoder's latents to those of the diffusion model
 * @param shiftFactor number that is subtracted before; null for none
 * @param latentsMean mean of each channel of the latents, instead of a shift; null for none
 * @param latentsStd standard deviation of each channel of the latents; null for none
 * @param forceUpcast whether float16 overflows, so that float32 takes its place
 * @param quantConv whether a 1×1 convolution follows the encoder
 * @param postQuantConv whether a 1×1 convolution precedes the decoder
 * @param midBlockAttention whether the block at the lowest resolution has attention
 */
public record AutoencoderKlConfig(
        int inChannels,
        int outChannels,
        List<Boolean> downBlockAttention,
        List<Boolean> upBlockAttention,
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

    /** More blocks or layers than any model has; a damaged config may ask for them. */
    private static final int MAX_BLOCKS = 16;

    private static final int MAX_LAYERS = 100;

    /** Checks that sizes fit together. */
    public AutoencoderKlConfig {
        downBlockAttention = List.copyOf(downBlockAttention);
        upBlockAttention = List.copyOf(upBlockAttention);
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
                !blockOutChannels.isEmpty() && blockOutChannels.size() <= MAX_BLOCKS,
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
        requireSize(
                "down_block_types",
                downBlockAttention,
                blockOutChannels.size(),
                "block_out_channels");
        requireSize(
                "up_block_types", upBlockAttention, blockOutChannels.size(), "block_out_channels");
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

    /**
     * Reads a {@code config.json}.
     *
     * @param warnings collect the unknown options
     * @throws IOException if it can't be read, or an option is not supported
     */
    public static AutoencoderKlConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, AutoencoderKlConfig::of);
    }

    /** Reads a config as {@link #read(Path, Warnings)} does; an unknown option is an error. */
    public static AutoencoderKlConfig read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** Reads a config as {@link #read(Path, Warnings)} does, from one that is part of another. */
    public static AutoencoderKlConfig of(ConfigReader json) {
        json.ignore("sample_size"); // only a default for tiling
        var missing = builder();
        return builder()
                .inChannels(json.integer("in_channels", missing.inChannels))
                .outChannels(json.integer("out_channels", missing.outChannels))
                .downBlockAttention(
                        attention(
                                json,
                                "down_block_types",
                                "DownEncoderBlock2D",
                                "AttnDownEncoderBlock2D"))
                .upBlockAttention(
                        attention(
                                json, "up_block_types", "UpDecoderBlock2D", "AttnUpDecoderBlock2D"))
                .blockOutChannels(json.integers("block_out_channels", missing.blockOutChannels))
                .layersPerBlock(json.integer("layers_per_block", missing.layersPerBlock))
                .activation(Activation.parse(json.text("act_fn", "silu")))
                .latentChannels(json.integer("latent_channels", missing.latentChannels))
                .normGroups(json.integer("norm_num_groups", missing.normGroups))
                .scalingFactor(json.number("scaling_factor", missing.scalingFactor))
                .shiftFactor(json.numberOrNull("shift_factor"))
                .latentsMean(json.numbersOrNull("latents_mean"))
                .latentsStd(json.numbersOrNull("latents_std"))
                .forceUpcast(json.flag("force_upcast", missing.forceUpcast))
                .quantConv(json.flag("use_quant_conv", missing.quantConv))
                .postQuantConv(json.flag("use_post_quant_conv", missing.postQuantConv))
                .midBlockAttention(json.flag("mid_block_add_attention", missing.midBlockAttention))
                .build();
    }

    /** Returns which blocks have attention, by the names of their types. */
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

    /** Returns what all residual blocks have in common. */
    ResnetBlock.Options resnets() {
        return new ResnetBlock.Options(normGroups, AutoencoderKl.EPS, activation, null);
    }

    /** Returns the same with another factor. */
    AutoencoderKlConfig withScalingFactor(double factor) {
        return new AutoencoderKlConfig(
                inChannels,
                outChannels,
                downBlockAttention,
                upBlockAttention,
                blockOutChannels,
                layersPerBlock,
                activation,
                latentChannels,
                normGroups,
                factor,
                shiftFactor,
                latentsMean,
                latentsStd,
                forceUpcast,
                quantConv,
                postQuantConv,
                midBlockAttention);
    }

    /** Returns the pixels of a side for each of the latents': 8 for four blocks. */
    public int downsampling() {
        return 1 << blockOutChannels.size() - 1;
    }

    // ---- Named values ----

    /** Starts a config with the reference's defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The values of an {@link AutoencoderKlConfig} by name. Those that are not set are the defaults
     * of diffusers' {@code AutoencoderKL}.
     */
    public static final class Builder {
        private int inChannels = 3;
        private int outChannels = 3;
        private List<Boolean> downBlockAttention = List.of(false);
        private List<Boolean> upBlockAttention = List.of(false);
        private List<Integer> blockOutChannels = List.of(64);
        private int layersPerBlock = 1;
        private Activation activation = Activation.SILU;
        private int latentChannels = 4;
        private int normGroups = 32;
        private double scalingFactor = 0.18215;
        private @Nullable Double shiftFactor;
        private @Nullable List<Double> latentsMean;
        private @Nullable List<Double> latentsStd;
        private boolean forceUpcast = true;
        private boolean quantConv = true;
        private boolean postQuantConv = true;
        private boolean midBlockAttention = true;

        private Builder() {}

        public Builder inChannels(int inChannels) {
            this.inChannels = inChannels;
            return this;
        }

        public Builder outChannels(int outChannels) {
            this.outChannels = outChannels;
            return this;
        }

        public Builder downBlockAttention(List<Boolean> downBlockAttention) {
            this.downBlockAttention = downBlockAttention;
            return this;
        }

        public Builder upBlockAttention(List<Boolean> upBlockAttention) {
            this.upBlockAttention = upBlockAttention;
            return this;
        }

        public Builder blockOutChannels(List<Integer> blockOutChannels) {
            this.blockOutChannels = blockOutChannels;
            return this;
        }

        public Builder layersPerBlock(int layersPerBlock) {
            this.layersPerBlock = layersPerBlock;
            return this;
        }

        public Builder activation(Activation activation) {
            this.activation = activation;
            return this;
        }

        public Builder latentChannels(int latentChannels) {
            this.latentChannels = latentChannels;
            return this;
        }

        public Builder normGroups(int normGroups) {
            this.normGroups = normGroups;
            return this;
        }

        public Builder scalingFactor(double scalingFactor) {
            this.scalingFactor = scalingFactor;
            return this;
        }

        public Builder shiftFactor(@Nullable Double shiftFactor) {
            this.shiftFactor = shiftFactor;
            return this;
        }

        public Builder latentsMean(@Nullable List<Double> latentsMean) {
            this.latentsMean = latentsMean;
            return this;
        }

        public Builder latentsStd(@Nullable List<Double> latentsStd) {
            this.latentsStd = latentsStd;
            return this;
        }

        public Builder forceUpcast(boolean forceUpcast) {
            this.forceUpcast = forceUpcast;
            return this;
        }

        public Builder quantConv(boolean quantConv) {
            this.quantConv = quantConv;
            return this;
        }

        public Builder postQuantConv(boolean postQuantConv) {
            this.postQuantConv = postQuantConv;
            return this;
        }

        public Builder midBlockAttention(boolean midBlockAttention) {
            this.midBlockAttention = midBlockAttention;
            return this;
        }

        /**
         * Makes the config.
         *
         * @throws IllegalArgumentException if the values do not fit together
         */
        public AutoencoderKlConfig build() {
            return new AutoencoderKlConfig(
                    inChannels,
                    outChannels,
                    downBlockAttention,
                    upBlockAttention,
                    blockOutChannels,
                    layersPerBlock,
                    activation,
                    latentChannels,
                    normGroups,
                    scalingFactor,
                    shiftFactor,
                    latentsMean,
                    latentsStd,
                    forceUpcast,
                    quantConv,
                    postQuantConv,
                    midBlockAttention);
        }
    }
}
