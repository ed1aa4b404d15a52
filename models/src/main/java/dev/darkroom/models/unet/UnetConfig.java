package dev.darkroom.models.unet;

import static dev.darkroom.models.config.Option.require;
import static dev.darkroom.models.config.Option.requireSize;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.layers.ResnetBlock;
import dev.darkroom.models.layers.TransformerOptions;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Activation;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * The config of a {@link Unet}; names and defaults are those of diffusers' {@code
 * UNet2DConditionModel}. Lists have an element for each level of resolution, from the latents'
 * down.
 *
 * @param inChannels channels of the latents, and of what else the network is shown beside them
 * @param outChannels channels of the prediction
 * @param sampleSize rows and columns of the latents trained with; null if it is not said
 * @param downBlockAttention whether each block on the way down attends to the text
 * @param upBlockAttention whether each block on the way up does, from the lowest resolution up
 * @param blockOutChannels channels of each block
 * @param layersPerBlock residual blocks in a block on the way down; on the way up there is one more
 * @param normNumGroups groups of the group norms
 * @param normEps added to the variance in the residual blocks' norms
 * @param activation in residual blocks
 * @param crossAttentionDim width of the text
 * @param attentionHeads heads of each block's attention, which the config calls {@code
 *     attention_head_dim}
 * @param transformerLayers transformer blocks in each attention
 * @param depths transformer blocks in the attention of each layer, where these are not as many in
 *     all layers of a level; null where they are
 * @param middle what is in the block at the lowest resolution
 * @param onlyCrossAttention whether both attentions of each block's transformers are to the text;
 *     those in the middle never are
 * @param useLinearProjection whether a linear layer projects to the transformers and back, instead
 *     of a 1×1 convolution
 * @param numClassEmbeds classes, or levels of the noise on a picture that is shown too; null for
 *     none
 * @param additionTimeEmbedDim sinusoids for each number of the picture's size; null for a network
 *     that is conditioned neither on a size nor on pooled texts
 * @param projectionInputDim width of the pooled text with all these sinusoids; null as well
 * @param timeCondProjDim sinusoids of the distilled guidance; null for a network that is not
 *     conditioned on one
 */
public record UnetConfig(
        int inChannels,
        int outChannels,
        @Nullable Integer sampleSize,
        List<Boolean> downBlockAttention,
        List<Boolean> upBlockAttention,
        List<Integer> blockOutChannels,
        int layersPerBlock,
        int normNumGroups,
        double normEps,
        Activation activation,
        int crossAttentionDim,
        List<Integer> attentionHeads,
        List<Integer> transformerLayers,
        @Nullable Depths depths,
        Middle middle,
        List<Boolean> onlyCrossAttention,
        boolean useLinearProjection,
        @Nullable Integer numClassEmbeds,
        @Nullable Integer additionTimeEmbedDim,
        @Nullable Integer projectionInputDim,
        @Nullable Integer timeCondProjDim) {
    /** More blocks or layers than any model has; a damaged config may ask for them. */
    private static final int MAX_BLOCKS = 16;

    private static final int MAX_LAYERS = 100;

    /** The blocks of a level, and those with attention. */
    private static final List<String> DOWN = List.of("DownBlock2D", "CrossAttnDownBlock2D");

    private static final List<String> UP = List.of("UpBlock2D", "CrossAttnUpBlock2D");

    private static final String DEPTHS = "transformer_layers_per_block";
    private static final String UP_DEPTHS = "reverse_transformer_layers_per_block";

    /** What is in the block at the lowest resolution. */
    public enum Middle {
        /** Attention between two residual blocks: {@code UNetMidBlock2DCrossAttn}. */
        ATTENTION,
        /** A residual block: {@code UNetMidBlock2D}. */
        RESIDUAL,
        /** Nothing: there is no such block. */
        NOTHING
    }

    /**
     * How many transformer blocks each layer's attention has in a network that was made smaller by
     * leaving some out, such as SSD-1B (Gupta et al. 2024, arXiv:2401.02677).
     *
     * @param down of each block on the way down, for each of its layers or one number for all
     * @param up of each block on the way up, from the lowest resolution, in the same way
     */
    public record Depths(List<List<Integer>> down, List<List<Integer>> up) {
        /**
         * Keeps the lists as they are now.
         *
         * @throws IllegalArgumentException if one is empty
         */
        public Depths {
            require(down.stream().noneMatch(List::isEmpty), DEPTHS, down);
            require(up.stream().noneMatch(List::isEmpty), UP_DEPTHS, up);
            down = down.stream().map(List::copyOf).toList();
            up = up.stream().map(List::copyOf).toList();
        }

        private static void requireFit(
                String option, List<List<Integer>> depths, int levels, int layers) {
            requireSize(option, depths, levels, "block_out_channels");
            for (List<Integer> block : depths) {
                boolean fits = block.size() == 1 || block.size() == layers;
                require(fits && block.stream().allMatch(UnetConfig::isCount), option, depths);
            }
        }

        private static int of(List<Integer> block, int layer) {
            return block.size() == 1 ? block.getFirst() : block.get(layer);
        }
    }

    public UnetConfig {
        downBlockAttention = List.copyOf(downBlockAttention);
        upBlockAttention = List.copyOf(upBlockAttention);
        blockOutChannels = List.copyOf(blockOutChannels);
        attentionHeads = List.copyOf(attentionHeads);
        transformerLayers = List.copyOf(transformerLayers);
        onlyCrossAttention = List.copyOf(onlyCrossAttention);
        int levels = blockOutChannels.size();
        require(levels >= 1 && levels <= MAX_BLOCKS, "block_out_channels", blockOutChannels);
        requireSize("down_block_types", downBlockAttention, levels, "block_out_channels");
        requireSize("up_block_types", upBlockAttention, levels, "block_out_channels");
        requireSize("attention_head_dim", attentionHeads, levels, "block_out_channels");
        requireSize(DEPTHS, transformerLayers, levels, "block_out_channels");
        if (depths != null) {
            Depths.requireFit(DEPTHS, depths.down, levels, layersPerBlock);
            Depths.requireFit(UP_DEPTHS, depths.up, levels, layersPerBlock + 1);
        }
        requireSize("only_cross_attention", onlyCrossAttention, levels, "block_out_channels");
        require(inChannels >= 1, "in_channels", inChannels);
        require(outChannels >= 1, "out_channels", outChannels);
        require(sampleSize == null || sampleSize >= 1, "sample_size", sampleSize);
        require(isCount(layersPerBlock), "layers_per_block", layersPerBlock);
        require(normNumGroups >= 1, "norm_num_groups", normNumGroups);
        require(normEps > 0, "norm_eps", normEps);
        require(crossAttentionDim >= 1, "cross_attention_dim", crossAttentionDim);
        require(numClassEmbeds == null || numClassEmbeds >= 1, "num_class_embeds", numClassEmbeds);
        require(
                transformerLayers.stream().allMatch(UnetConfig::isCount),
                DEPTHS,
                transformerLayers);
        for (int i = 0; i < levels; i++) {
            int channels = blockOutChannels.get(i);
            int heads = attentionHeads.get(i);
            require(channels >= 1, "block_out_channels", blockOutChannels);
            if (channels % normNumGroups != 0 || heads < 1 || channels % heads != 0) {
                throw new IllegalArgumentException(
                        "block_out_channels "
                                + blockOutChannels
                                + " must divide into norm_num_groups "
                                + normNumGroups
                                + ", and into the heads of attention_head_dim "
                                + attentionHeads);
            }
        }
        require(blockOutChannels.getFirst() % 2 == 0, "block_out_channels", blockOutChannels);
        if ((additionTimeEmbedDim == null) != (projectionInputDim == null)) {
            throw new IllegalArgumentException(
                    "addition_time_embed_dim and projection_class_embeddings_input_dim go together,"
                            + " but only one of them is given");
        }
        require(
                additionTimeEmbedDim == null
                        || additionTimeEmbedDim >= 2 && additionTimeEmbedDim % 2 == 0,
                "addition_time_embed_dim",
                additionTimeEmbedDim);
        require(
                projectionInputDim == null || projectionInputDim >= 1,
                "projection_class_embeddings_input_dim",
                projectionInputDim);
        TransformerOptions.requireGuidanceChannels(timeCondProjDim);
    }

    private static boolean isCount(int layers) {
        return layers >= 1 && layers <= MAX_LAYERS;
    }

    /**
     * Reads a {@code config.json}. Missing options have the defaults of diffusers' {@code
     * UNet2DConditionModel}.
     *
     * @param warnings collect the unknown options
     * @throws IOException if it can't be read or is not supported
     */
    public static UnetConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, UnetConfig::of);
    }

    /** Reads a config as {@link #read(Path, Warnings)} does; an unknown option is an error. */
    public static UnetConfig read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** Reads a config as {@link #read(Path, Warnings)} does, from one that is part of another. */
    public static UnetConfig of(ConfigReader json) {
        var missing = builder();
        return down(json)
                .outChannels(json.integer("out_channels", missing.outChannels))
                .sampleSize(json.integerOrNull("sample_size"))
                .upBlockAttention(attention(json, "up_block_types", UP, missing.upBlockAttention))
                .timeCondProjDim(json.integerOrNull(TransformerOptions.GUIDANCE_CHANNELS))
                .build();
    }

    /** Reads the config of a network that is the {@link ContractingPath} of one. */
    static UnetConfig ofContracting(ConfigReader json) {
        Builder path = down(json);
        return path.upBlockAttention(path.downBlockAttention.reversed()).build();
    }

    /** Reads what is said of the way down. */
    private static Builder down(ConfigReader json) {
        requireSupported(json);
        var missing = builder();
        List<Boolean> down = attention(json, "down_block_types", DOWN, missing.downBlockAttention);
        int levels = down.size();
        Depths depths = depths(json, levels);
        return builder()
                .inChannels(json.integer("in_channels", missing.inChannels))
                .downBlockAttention(down)
                .blockOutChannels(json.integers("block_out_channels", missing.blockOutChannels))
                .layersPerBlock(json.integer("layers_per_block", missing.layersPerBlock))
                .normNumGroups(json.integer("norm_num_groups", missing.normNumGroups))
                .normEps(json.number("norm_eps", missing.normEps))
                .activation(Activation.parse(json.text("act_fn", "silu")))
                .crossAttentionDim(json.integer("cross_attention_dim", missing.crossAttentionDim))
                .attentionHeads(json.integerForEach("attention_head_dim", 8, levels))
                .transformerLayers(
                        depths == null
                                ? json.integerForEach(DEPTHS, 1, levels)
                                : depths.down.stream().map(List::getFirst).toList())
                .depths(depths)
                .middle(middle(json))
                .onlyCrossAttention(json.flagForEach("only_cross_attention", false, levels))
                .useLinearProjection(json.flag("use_linear_projection", false))
                .numClassEmbeds(json.integerOrNull("num_class_embeds"))
                .additionTimeEmbedDim(json.integerOrNull("addition_time_embed_dim"))
                .projectionInputDim(json.integerOrNull("projection_class_embeddings_input_dim"));
    }

    /** Checks the options that other kinds of networks have other values of. */
    private static void requireSupported(ConfigReader json) {
        json.ignore("dropout", "addition_embed_type_num_heads");
        json.ignore("upcast_attention"); // attention accumulates in float32 anyhow
        json.ignore("decay", "inv_gamma", "min_decay", "optimization_step", "power"); // of an EMA
        json.ignore("update_after_step", "use_ema_warmup");
        json.only("center_input_sample", false);
        json.only("flip_sin_to_cos", true);
        json.only("freq_shift", 0);
        json.only("mid_block_only_cross_attention", false);
        json.only("mid_block_scale_factor", 1);
        json.only("downsample_padding", 1);
        json.only("addition_embed_type", "text_time");
        json.only("encoder_hid_dim", (Object) null);
        json.only("encoder_hid_dim_type", (Object) null);
        json.only("num_attention_heads", (Object) null);
        json.only("dual_cross_attention", false);
        json.only("class_embed_type", (Object) null);
        json.only("class_embeddings_concat", false);
        json.only("resnet_time_scale_shift", "default");
        json.only("resnet_skip_time_act", false);
        json.only("resnet_out_scale_factor", 1);
        json.only("time_embedding_type", "positional");
        json.only("time_embedding_dim", (Object) null);
        json.only("time_embedding_act_fn", (Object) null);
        json.only("timestep_post_act", (Object) null);
        json.only("conv_in_kernel", 3);
        json.only("conv_out_kernel", 3);
        json.only("attention_type", "default");
        json.only("cross_attention_norm", (Object) null);
    }

    /** Returns how many transformer blocks each layer has; null where they are not told apart. */
    private static @Nullable Depths depths(ConfigReader json, int levels) {
        boolean differ = json.has(UP_DEPTHS) && !json.isNull(UP_DEPTHS);
        return differ
                ? new Depths(
                        json.integersForEach(DEPTHS, 1, levels),
                        json.integersForEach(UP_DEPTHS, 1, levels))
                : null;
    }

    /** A type that is null is no block, as in diffusers, and one that is not said the usual one. */
    private static Middle middle(ConfigReader json) {
        String option = "mid_block_type";
        if (json.isNull(option)) {
            return Middle.NOTHING;
        }
        String type = json.text(option, "UNetMidBlock2DCrossAttn");
        return switch (type) {
            case "UNetMidBlock2DCrossAttn" -> Middle.ATTENTION;
            case "UNetMidBlock2D" -> Middle.RESIDUAL;
            default ->
                    throw new IllegalArgumentException(
                            option
                                    + " \""
                                    + type
                                    + "\" is not supported, only UNetMidBlock2DCrossAttn,"
                                    + " UNetMidBlock2D and null");
        };
    }

    /** Returns which blocks have attention, by the names of their types. */
    private static List<Boolean> attention(
            ConfigReader json, String option, List<String> types, List<Boolean> missing) {
        if (!json.has(option)) {
            return missing;
        }
        return json.texts(option, List.of()).stream()
                .map(
                        type -> {
                            if (!types.contains(type)) {
                                throw new IllegalArgumentException(
                                        option
                                                + " \""
                                                + type
                                                + "\" is not supported, only "
                                                + String.join(" and ", types));
                            }
                            return type.equals(types.getLast());
                        })
                .toList();
    }

    // ---- What follows from the options ----

    /** Returns the number of levels of resolution. */
    int levels() {
        return blockOutChannels.size();
    }

    /** Returns how many transformer blocks a layer on the way down has. */
    int downDepth(int level, int layer) {
        return depths == null
                ? transformerLayers.get(level)
                : Depths.of(depths.down.get(level), layer);
    }

    /** Returns the same of a layer on the way up, whose blocks count from the lowest resolution. */
    int upDepth(int block, int layer) {
        return depths == null
                ? transformerLayers.get(levels() - 1 - block)
                : Depths.of(depths.up.get(block), layer);
    }

    /** Returns the width of the timestep's embedding in the network. */
    int timeWidth() {
        return 4 * blockOutChannels.getFirst();
    }

    /** Returns what all residual blocks have in common. */
    ResnetBlock.Options resnets() {
        return new ResnetBlock.Options(normNumGroups, normEps, activation, timeWidth());
    }

    /** Returns the config of the way down of a network that sees the latents alone. */
    public UnetConfig contracting() {
        return new UnetConfig(
                outChannels,
                outChannels,
                sampleSize,
                downBlockAttention,
                upBlockAttention,
                blockOutChannels,
                layersPerBlock,
                normNumGroups,
                normEps,
                activation,
                crossAttentionDim,
                attentionHeads,
                transformerLayers,
                depths,
                middle,
                onlyCrossAttention,
                useLinearProjection,
                null,
                additionTimeEmbedDim,
                projectionInputDim,
                null);
    }

    /** Returns whether the network is conditioned on pooled texts and the picture's size. */
    public boolean isSized() {
        return additionTimeEmbedDim != null;
    }

    // ---- Named values ----

    /** Starts a config with the reference's defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The values of a {@link UnetConfig} by name. Those that are not set are the defaults of
     * diffusers' {@code UNet2DConditionModel}.
     */
    public static final class Builder {
        private int inChannels = 4;
        private int outChannels = 4;
        private @Nullable Integer sampleSize;
        private List<Boolean> downBlockAttention = List.of(true, true, true, false);
        private List<Boolean> upBlockAttention = List.of(false, true, true, true);
        private List<Integer> blockOutChannels = List.of(320, 640, 1280, 1280);
        private int layersPerBlock = 2;
        private int normNumGroups = 32;
        private double normEps = 1e-5;
        private Activation activation = Activation.SILU;
        private int crossAttentionDim = 1280;
        private List<Integer> attentionHeads = List.of(8, 8, 8, 8);
        private List<Integer> transformerLayers = List.of(1, 1, 1, 1);
        private @Nullable Depths depths;
        private Middle middle = Middle.ATTENTION;
        private List<Boolean> onlyCrossAttention = List.of(false, false, false, false);
        private boolean useLinearProjection;
        private @Nullable Integer numClassEmbeds;
        private @Nullable Integer additionTimeEmbedDim;
        private @Nullable Integer projectionInputDim;
        private @Nullable Integer timeCondProjDim;

        private Builder() {}

        public Builder inChannels(int inChannels) {
            this.inChannels = inChannels;
            return this;
        }

        public Builder outChannels(int outChannels) {
            this.outChannels = outChannels;
            return this;
        }

        public Builder sampleSize(@Nullable Integer sampleSize) {
            this.sampleSize = sampleSize;
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

        public Builder normNumGroups(int normNumGroups) {
            this.normNumGroups = normNumGroups;
            return this;
        }

        public Builder normEps(double normEps) {
            this.normEps = normEps;
            return this;
        }

        public Builder activation(Activation activation) {
            this.activation = activation;
            return this;
        }

        public Builder crossAttentionDim(int crossAttentionDim) {
            this.crossAttentionDim = crossAttentionDim;
            return this;
        }

        public Builder attentionHeads(List<Integer> attentionHeads) {
            this.attentionHeads = attentionHeads;
            return this;
        }

        public Builder transformerLayers(List<Integer> transformerLayers) {
            this.transformerLayers = transformerLayers;
            return this;
        }

        public Builder depths(@Nullable Depths depths) {
            this.depths = depths;
            return this;
        }

        public Builder middle(Middle middle) {
            this.middle = middle;
            return this;
        }

        public Builder onlyCrossAttention(List<Boolean> onlyCrossAttention) {
            this.onlyCrossAttention = onlyCrossAttention;
            return this;
        }

        public Builder useLinearProjection(boolean useLinearProjection) {
            this.useLinearProjection = useLinearProjection;
            return this;
        }

        public Builder numClassEmbeds(@Nullable Integer numClassEmbeds) {
            this.numClassEmbeds = numClassEmbeds;
            return this;
        }

        public Builder additionTimeEmbedDim(@Nullable Integer additionTimeEmbedDim) {
            this.additionTimeEmbedDim = additionTimeEmbedDim;
            return this;
        }

        public Builder projectionInputDim(@Nullable Integer projectionInputDim) {
            this.projectionInputDim = projectionInputDim;
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
        public UnetConfig build() {
            return new UnetConfig(
                    inChannels,
                    outChannels,
                    sampleSize,
                    downBlockAttention,
                    upBlockAttention,
                    blockOutChannels,
                    layersPerBlock,
                    normNumGroups,
                    normEps,
                    activation,
                    crossAttentionDim,
                    attentionHeads,
                    transformerLayers,
                    depths,
                    middle,
                    onlyCrossAttention,
                    useLinearProjection,
                    numClassEmbeds,
                    additionTimeEmbedDim,
                    projectionInputDim,
                    timeCondProjDim);
        }
    }
}
