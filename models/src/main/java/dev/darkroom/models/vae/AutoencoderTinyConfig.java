package dev.darkroom.models.vae;

import static dev.darkroom.models.config.Option.require;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Activation;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The config of an {@link AutoencoderTiny}; names and defaults are those of diffusers' {@code
 * AutoencoderTiny}.
 *
 * @param inChannels channels of images
 * @param outChannels channels of decoded images
 * @param encoderChannels of each resolution, from that of images
 * @param encoderBlocks how many blocks each has
 * @param decoderChannels of each resolution, from that of latents
 * @param decoderBlocks how many blocks each has
 * @param latentChannels channels of latents
 * @param activation in blocks
 * @param forceUpcast whether it overflows in float16
 * @param scalingFactor what encoded latents are multiplied by to be the diffusion model's
 * @param shiftFactor what is taken from them before
 */
public record AutoencoderTinyConfig(
        int inChannels,
        int outChannels,
        List<Integer> encoderChannels,
        List<Integer> encoderBlocks,
        List<Integer> decoderChannels,
        List<Integer> decoderBlocks,
        int latentChannels,
        Activation activation,
        boolean forceUpcast,
        double scalingFactor,
        double shiftFactor) {
    /** More resolutions or blocks than any model has; a damaged config may ask for them. */
    private static final int MAX_LEVELS = 16;

    private static final int MAX_BLOCKS = 100;

    /**
     * Checks the values.
     *
     * @throws IllegalArgumentException if they do not fit together
     */
    public AutoencoderTinyConfig {
        encoderChannels = List.copyOf(encoderChannels);
        encoderBlocks = List.copyOf(encoderBlocks);
        decoderChannels = List.copyOf(decoderChannels);
        decoderBlocks = List.copyOf(decoderBlocks);
        require(inChannels >= 1, "in_channels", inChannels);
        require(outChannels >= 1, "out_channels", outChannels);
        require(latentChannels >= 1, "latent_channels", latentChannels);
        requireLevels("encoder", encoderChannels, encoderBlocks);
        requireLevels("decoder", decoderChannels, decoderBlocks);
        require(
                encoderChannels.size() == decoderChannels.size(),
                "decoder_block_out_channels, of which there must be as many as for the encoder,",
                decoderChannels);
        require(
                Double.isFinite(scalingFactor) && scalingFactor != 0,
                "scaling_factor",
                scalingFactor);
        require(Double.isFinite(shiftFactor), "shift_factor", shiftFactor);
    }

    private static void requireLevels(String of, List<Integer> channels, List<Integer> blocks) {
        require(
                !channels.isEmpty()
                        && channels.size() <= MAX_LEVELS
                        && channels.stream().allMatch(each -> each >= 1),
                of + "_block_out_channels",
                channels);
        require(
                channels.stream().distinct().count() == 1,
                of + "_block_out_channels, which must all be the same,",
                channels);
        require(
                blocks.size() == channels.size()
                        && blocks.stream().allMatch(each -> each >= 0 && each <= MAX_BLOCKS),
                "num_" + of + "_blocks, of which there is one for each of its channels,",
                blocks);
    }

    /**
     * Reads a {@code config.json}. Missing options have the defaults of diffusers.
     *
     * @param warnings collect the unknown options
     * @throws IOException if it can't be read or is not supported
     */
    public static AutoencoderTinyConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, AutoencoderTinyConfig::of);
    }

    /** Reads a config as {@link #read} does, from one that is part of another. */
    public static AutoencoderTinyConfig of(ConfigReader json) {
        json.ignore("block_out_channels"); // the decoder's once more
        json.ignore("latent_magnitude", "latent_shift"); // of latents as pictures of 8 bits
        json.only("upsample_fn", "nearest");
        json.only("upsampling_scaling_factor", 2);
        List<Integer> four = List.of(64, 64, 64, 64);
        return new AutoencoderTinyConfig(
                json.integer("in_channels", 3),
                json.integer("out_channels", 3),
                json.integers("encoder_block_out_channels", four),
                json.integers("num_encoder_blocks", List.of(1, 3, 3, 3)),
                json.integers("decoder_block_out_channels", four),
                json.integers("num_decoder_blocks", List.of(3, 3, 3, 1)),
                json.integer("latent_channels", 4),
                Activation.parse(json.text("act_fn", "relu")),
                json.flag("force_upcast", false),
                json.number("scaling_factor", 1),
                json.number("shift_factor", 0));
    }

    /** Returns the pixels of the picture for one of the latents, in each direction. */
    int downsampling() {
        return 1 << (decoderChannels.size() - 1);
    }
}
