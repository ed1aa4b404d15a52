package dev.darkroom.models.family.pixel;

import static dev.darkroom.models.config.Option.require;
import static dev.darkroom.models.config.Option.requireSize;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.layers.AttentionBlock;
import dev.darkroom.models.layers.ResnetBlock;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * The config of a {@link PixelUnet}; names and defaults are those of diffusers' {@code
 * UNet2DModel}. Lists have an element for each block.
 *
 * @param inChannels channels of the noisy pictures
 * @param outChannels channels of the prediction
 * @param sampleSize of the pictures trained with; null if it is not said
 * @param centerInput whether inputs are from 0 to 1, and moved to −1 to 1 first
 * @param sinesFirst whether the timestep's sinusoids begin with the sines, as in DDPM: not {@code
 *     flip_sin_to_cos}
 * @param frequencyShift {@code freq_shift}: 0 if the last frequency is just above 1/10000, 1 if it
 *     is 1/10000
 * @param timeWidth width of the timestep's embedding
 * @param downBlocks on the way down, from the pixels' resolution
 * @param upBlocks on the way up, from the lowest resolution
 * @param blockOutChannels channels of each block on the way down
 * @param layersPerBlock residual blocks in a block on the way down; on the way up there is one more
 * @param halvesRightAndBelow whether convolutions that halve the resolution see zeros at the right
 *     and below only: {@code downsample_padding} 0
 * @param resnetDownsampling whether blocks with attention halve the resolution by a residual block,
 *     not by a convolution: {@code downsample_type}
 * @param resnetUpsampling the same on the way up: {@code upsample_type}
 * @param activation in residual blocks
 * @param attentionHeadDim width of a head; null for one head
 * @param normNumGroups groups of the group norms
 * @param midNormGroups groups of the norm before the attention in the middle; null for no norm
 * @param normEps added to the variance in norms
 * @param scaleShift whether the timestep scales and shifts, {@code resnet_time_scale_shift}
 * @param midAttention whether there is attention in the middle: {@code add_attention}
 * @param numClassEmbeds classes; null for none
 */
public record PixelUnetConfig(
        int inChannels,
        int outChannels,
        @Nullable Size sampleSize,
        boolean centerInput,
        boolean sinesFirst,
        int frequencyShift,
        int timeWidth,
        List<Block> downBlocks,
        List<Block> upBlocks,
        List<Integer> blockOutChannels,
        int layersPerBlock,
        boolean halvesRightAndBelow,
        boolean resnetDownsampling,
        boolean resnetUpsampling,
        Activation activation,
        @Nullable Integer attentionHeadDim,
        int normNumGroups,
        @Nullable Integer midNormGroups,
        double normEps,
        boolean scaleShift,
        boolean midAttention,
        @Nullable Integer numClassEmbeds) {
    /** More blocks or layers than any model has; a damaged config may ask for them. */
    private static final int MAX_BLOCKS = 16;

    private static final int MAX_LAYERS = 100;

    /** The sizes that pictures are taken to have; a damaged config may have others. */
    private static final int MAX_SIZE = 16384;

    /** A kind of block, by the class that configs name on the way down and on the way up. */
    public enum Block {
        /** Residual blocks, then a convolution to the next resolution. */
        PLAIN("DownBlock2D", "UpBlock2D"),
        /** Residual blocks, each with self-attention behind it. */
        ATTENTION("AttnDownBlock2D", "AttnUpBlock2D"),
        /** Residual blocks, of which another one leads to the next resolution. */
        RESNET("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D");

        private final String down;
        private final String up;

        Block(String down, String up) {
            this.down = down;
            this.up = up;
        }

        private String name(boolean isDown) {
            return isDown ? down : up;
        }
    }

    /**
     * Checks the values.
     *
     * @throws IllegalArgumentException if they do not fit together
     */
    public PixelUnetConfig {
        downBlocks = List.copyOf(downBlocks);
        upBlocks = List.copyOf(upBlocks);
        blockOutChannels = List.copyOf(blockOutChannels);
        int levels = blockOutChannels.size();
        require(levels >= 1 && levels <= MAX_BLOCKS, "block_out_channels", blockOutChannels);
        requireSize("down_block_types", downBlocks, levels, "block_out_channels");
        requireSize("up_block_types", upBlocks, levels, "block_out_channels");
        require(inChannels >= 1, "in_channels", inChannels);
        require(outChannels >= 1, "out_channels", outChannels);
        require(
                layersPerBlock >= 1 && layersPerBlock <= MAX_LAYERS,
                "layers_per_block",
                layersPerBlock);
        require(timeWidth >= 1, "time_embedding_dim", timeWidth);
        require(frequencyShift == 0 || frequencyShift == 1, "freq_shift", frequencyShift);
        require(normNumGroups >= 1, "norm_num_groups", normNumGroups);
        require(midNormGroups == null || midNormGroups >= 1, "attn_norm_num_groups", midNormGroups);
        require(normEps > 0, "norm_eps", normEps);
        require(
                attentionHeadDim == null || attentionHeadDim >= 1,
                "attention_head_dim",
                attentionHeadDim);
        require(numClassEmbeds == null || numClassEmbeds >= 1, "num_class_embeds", numClassEmbeds);
        require(
                sampleSize == null || isSize(sampleSize.height()) && isSize(sampleSize.width()),
                "sample_size",
                sampleSize);
        for (int i = 0; i < levels; i++) {
            int channels = blockOutChannels.get(i);
            require(
                    channels >= 1 && channels % normNumGroups == 0,
                    "block_out_channels, which must divide into norm_num_groups " + normNumGroups,
                    blockOutChannels);
            boolean isLast = i == levels - 1;
            boolean attends =
                    downBlocks.get(i) == Block.ATTENTION
                            || upBlocks.get(levels - 1 - i) == Block.ATTENTION
                            || isLast && midAttention;
            require(
                    !attends || attentionHeadDim == null || channels % attentionHeadDim == 0,
                    "attention_head_dim, into which block_out_channels "
                            + blockOutChannels
                            + " must divide,",
                    attentionHeadDim);
        }
        require(
                midNormGroups == null || blockOutChannels.getLast() % midNormGroups == 0,
                "attn_norm_num_groups, into which "
                        + blockOutChannels.getLast()
                        + " channels must divide,",
                midNormGroups);
        require(
                blockOutChannels.getFirst() % 2 == 0 && blockOutChannels.getFirst() >= 4,
                "block_out_channels, the first of which are sines and cosines,",
                blockOutChannels);
    }

    private static boolean isSize(int pixels) {
        return pixels >= 1 && pixels <= MAX_SIZE;
    }

    /**
     * Reads a {@code config.json}. Missing options have the defaults of diffusers' {@code
     * UNet2DModel}, also those that configs of the first versions did not have yet.
     *
     * @param warnings collect the unknown options
     * @throws IOException if it can't be read or is not supported
     */
    public static PixelUnetConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, PixelUnetConfig::of);
    }

    /** Reads a config as {@link #read} does, from one that is part of another. */
    public static PixelUnetConfig of(ConfigReader json) {
        requireSupported(json);
        List<Integer> channels =
                json.integers("block_out_channels", List.of(224, 448, 672, 896)); // diffusers' own
        int groups = json.integer("norm_num_groups", 32);
        boolean scaleShift = isOther(json, "resnet_time_scale_shift", "default", "scale_shift");
        Integer midGroups = json.integerOrNull("attn_norm_num_groups");
        Integer timeWidth = json.integerOrNull("time_embedding_dim");
        int first = channels.isEmpty() ? 0 : channels.getFirst();
        return new PixelUnetConfig(
                json.integer("in_channels", 3),
                json.integer("out_channels", 3),
                size(json),
                json.flag("center_input_sample", false),
                !json.flag("flip_sin_to_cos", true),
                json.integer("freq_shift", 0),
                timeWidth == null ? Math.multiplyExact(4, first) : timeWidth,
                blocks(json, "down_block_types", true),
                blocks(json, "up_block_types", false),
                channels,
                json.integer("layers_per_block", 2),
                json.integer("downsample_padding", 1) == 0,
                isOther(json, "downsample_type", "conv", "resnet"),
                isOther(json, "upsample_type", "conv", "resnet"),
                Activation.parse(json.text("act_fn", "silu")),
                json.has("attention_head_dim")
                        ? json.integerOrNull("attention_head_dim")
                        : Integer.valueOf(8),
                groups,
                midGroups == null && !scaleShift ? Integer.valueOf(groups) : midGroups,
                json.number("norm_eps", 1e-5),
                scaleShift,
                json.flag("add_attention", true),
                json.integerOrNull("num_class_embeds"));
    }

    /** Checks the options that networks of other kinds have other values of. */
    private static void requireSupported(ConfigReader json) {
        json.ignore("dropout"); // of training
        json.ignore("num_train_timesteps"); // of learned timesteps
        json.ignore("decay", "inv_gamma", "min_decay", "optimization_step", "power"); // of an EMA
        json.ignore("update_after_step", "use_ema_warmup");
        json.only("time_embedding_type", "positional");
        json.only("mid_block_type", "UNetMidBlock2D");
        json.only("mid_block_scale_factor", 1);
        json.only("downsample_padding", 1, 0);
        json.only("class_embed_type", (Object) null);
    }

    /** Whether an option has the second of its two values. */
    private static boolean isOther(ConfigReader json, String option, String usual, String other) {
        json.only(option, usual, other);
        return json.text(option, usual).equals(other);
    }

    private static List<Block> blocks(ConfigReader json, String option, boolean isDown) {
        List<String> missing =
                isDown
                        ? List.of(
                                "DownBlock2D",
                                "AttnDownBlock2D",
                                "AttnDownBlock2D",
                                "AttnDownBlock2D")
                        : List.of("AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D");
        return json.texts(option, missing).stream()
                .map(type -> block(option, type, isDown))
                .toList();
    }

    private static Block block(String option, String type, boolean isDown) {
        return Arrays.stream(Block.values())
                .filter(each -> each.name(isDown).equals(type))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        option
                                                + " \""
                                                + type
                                                + "\" is not supported, only "
                                                + String.join(
                                                        ", ",
                                                        Arrays.stream(Block.values())
                                                                .map(each -> each.name(isDown))
                                                                .toList())));
    }

    /** A number for a square, or height and width. */
    private static @Nullable Size size(ConfigReader json) {
        List<Integer> sides = json.integerForEach("sample_size", 0, 2);
        return json.has("sample_size") && !json.isNull("sample_size")
                ? new Size(sides.get(0), sides.get(1))
                : null;
    }

    // ---- What follows from the options ----

    /** Returns the number of levels of resolution. */
    int levels() {
        return blockOutChannels.size();
    }

    /** Returns the pixels of the picture for one at the lowest resolution, in each direction. */
    int multiple() {
        return 1 << (levels() - 1);
    }

    /** Declares self-attention over features. */
    AttentionBlock attention(Weights w, int channels, @Nullable Integer groups) {
        int heads = attentionHeadDim == null ? 1 : channels / attentionHeadDim;
        return new AttentionBlock(w, channels, heads, groups, normEps);
    }

    /** Returns what all residual blocks have in common. */
    ResnetBlock.Options resnets() {
        return new ResnetBlock.Options(normNumGroups, normEps, activation, timeWidth, scaleShift);
    }
}
