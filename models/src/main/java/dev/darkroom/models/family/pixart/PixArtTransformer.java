package dev.darkroom.models.family.pixart;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.models.family.PatchTransformer;
import dev.darkroom.models.layers.AdaLn;
import dev.darkroom.models.layers.AttentionKeys;
import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.models.layers.FeedForward;
import dev.darkroom.models.layers.PatchEmbed;
import dev.darkroom.models.layers.TimestepEmbedding;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.Attention.KeyValue;
import dev.darkroom.runtime.nn.Init;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/**
 * The PixArt transformer (PixArt-α, Chen et al. 2023; PixArt-Σ, Chen et al. 2024): DiT blocks with
 * cross-attention to a text, all conditioned on the timestep by one shared layer and a small table
 * each (adaLN-single). diffusers calls it {@code PixArtTransformer2DModel}, once {@code
 * Transformer2DModel}.
 *
 * <p>Where a network has twice as many output as input channels, the first half is the predicted
 * noise and the second its variance, which PixArt's samplers leave unused.
 */
public final class PixArtTransformer extends PatchTransformer {
    /** The condition's states of the text {@code [N,L,E]}. */
    public static final String TEXT = "text";

    /** The condition's mask, 1 for a token and 0 for padding {@code [N,L]}; may be absent. */
    public static final String TEXT_MASK = "textMask";

    /** The condition's height and width in pixels {@code [N,2]}, if the network takes the size. */
    public static final String RESOLUTION = "resolution";

    /** The condition's height / width {@code [N,1]}, if the network takes the size. */
    public static final String ASPECT_RATIO = "aspectRatio";

    private static final double OUT_EPS = 1e-6;

    /** Tensors that conversions left in files: the empty caption, and the table of positions. */
    private static final String[] LEFTOVERS = {
        "caption_projection.y_embedding", "pos_embed.pos_embed"
    };

    private final PixArtConfig config;
    private final PatchEmbed posEmbed;
    private final AdaLnSingle adalnSingle;
    private final @Nullable CaptionProjection captionProjection;
    private final List<Block> transformerBlocks;
    private final Parameter scaleShiftTable;
    private final Linear projOut;

    /** Declares the network. */
    public PixArtTransformer(Weights w, PixArtConfig config) {
        super(
                w,
                config.inChannels(),
                config.patchSize(),
                config.width(),
                config.timeCondProjDim() != null);
        this.config = config;
        w.ignore(LEFTOVERS);
        long width = config.width();
        posEmbed =
                new PatchEmbed(
                        w.sub("pos_embed"),
                        config.inChannels(),
                        width,
                        config.patchSize(),
                        config.sampleSize(),
                        config.interpolationScale());
        adalnSingle = new AdaLnSingle(w.sub("adaln_single"), config);
        captionProjection =
                config.captionChannels() == null
                        ? null
                        : new CaptionProjection(w.sub("caption_projection"), config);
        transformerBlocks =
                w.list("transformer_blocks", config.numLayers(), each -> new Block(each, config));
        scaleShiftTable = table(w, 2, width);
        projOut =
                Linear.asInPyTorch(
                        w.sub("proj_out"),
                        width,
                        (long) config.patchSize() * config.patchSize() * config.outChannels(),
                        true);
    }

    private static Parameter table(Weights w, long rows, long width) {
        return w.parameter("scale_shift_table", Shape.of(rows, width), Init.fanIn(width));
    }

    /** Returns the config that the network was made with. */
    public PixArtConfig config() {
        return config;
    }

    @Override
    public Network bind(Condition condition) {
        return bind(condition, BlockRun.PLAIN);
    }

    @Override
    public Network bind(Condition condition, Perturbation perturbation) {
        return bind(condition, BlockRun.of(perturbation, this));
    }

    private Network bind(Condition condition, BlockRun run) {
        @Nullable Tensor mask = condition.find(TEXT_MASK);
        PixArtText text =
                prepare(
                        condition.get(TEXT).to(dtype()).to(device()),
                        mask == null ? null : mask.to(device()));
        @Nullable PixArtSize size =
                config.useAdditionalConditions()
                        ? new PixArtSize(condition.get(RESOLUTION), condition.get(ASPECT_RATIO))
                        : null;
        @Nullable Tensor guidance =
                takesGuidance() ? condition.get(Condition.DISTILLED_GUIDANCE) : null;
        return (x, timesteps) -> forward(x.to(dtype()), timesteps, text, size, guidance, run);
    }

    /**
     * Projects texts to the keys and values that all steps use.
     *
     * @param embeds the text encoder's output {@code [N,L,E]}
     * @param mask numbers {@code [N,L]}, 1 for a token and 0 for padding; null if all are tokens
     */
    public PixArtText prepare(Tensor embeds, @Nullable Tensor mask) {
        if (embeds.rank() != 3
                || embeds.size(2) != config.textWidth()
                || (mask != null
                        && !mask.shape().equals(Shape.of(embeds.size(0), embeds.size(1))))) {
            throw new IllegalArgumentException(
                    "PixArt: text "
                            + embeds.shape()
                            + " must be [N,L,"
                            + config.textWidth()
                            + "], and the mask"
                            + (mask == null ? "" : " " + mask.shape())
                            + " [N,L]");
        }
        try (var scope = TensorScope.open()) {
            Tensor projected =
                    captionProjection == null ? embeds : captionProjection.forward(embeds);
            Tensor text = segments().boundary(projected); // [N,L,D]
            List<KeyValue> keyValues = new ArrayList<>();
            for (Block block : transformerBlocks) {
                KeyValue keyValue = block.attn2.keyValue(text);
                scope.keep(keyValue.key());
                scope.keep(keyValue.value());
                keyValues.add(keyValue);
            }
            Tensor bias = mask == null ? null : scope.keep(padding(mask, embeds));
            return new PixArtText(keyValues, bias);
        }
    }

    /** Returns −10000 where there is padding: {@code [N,1,1,L]}. */
    private static Tensor padding(Tensor mask, Tensor like) {
        return mask.to(like.dtype()).subtractedFrom(1).times(-10_000).unsqueeze(1).unsqueeze(1);
    }

    /**
     * Predicts from noisy latents.
     *
     * @param latents {@code [N,C,H,W]}, H and W multiples of the patch size
     * @param timestep {@code [N]}, or {@code [1]} for all, of any type; 0 … 999
     * @param text of {@link #prepare}
     * @param size null unless the network is conditioned on it
     * @return {@code [N,C',H,W]} with the config's {@code outChannels}
     */
    public Tensor forward(
            Tensor latents, Tensor timestep, PixArtText text, @Nullable PixArtSize size) {
        return forward(latents, timestep, text, size, null);
    }

    /**
     * Predicts from noisy latents, conditioned on a distilled guidance.
     *
     * @param guidance the guidance scale less 1, {@code [N]}, or {@code [1]} for all; null unless
     *     the config has a {@code timeCondProjDim}
     * @return {@code [N,C',H,W]}, as without a guidance
     */
    public Tensor forward(
            Tensor latents,
            Tensor timestep,
            PixArtText text,
            @Nullable PixArtSize size,
            @Nullable Tensor guidance) {
        return forward(latents, timestep, text, size, guidance, BlockRun.PLAIN);
    }

    private Tensor forward(
            Tensor latents,
            Tensor timestep,
            PixArtText text,
            @Nullable PixArtSize size,
            @Nullable Tensor guidance,
            BlockRun how) {
        try (var scope = TensorScope.open()) {
            long rows = latents.size(2) / config.patchSize();
            Tensor x = posEmbed.forward(latents); // [N,T,D]
            Tensor condition =
                    segments().boundary(adalnSingle.condition(timestep, size, guidance)); // [N,D]
            Tensor modulation = segments().boundary(adalnSingle.modulation(condition)); // [N,6,D]
            for (int i = 0; i < transformerBlocks.size(); i++) {
                x =
                        run(
                                transformerBlocks.get(i),
                                x,
                                modulation,
                                text.keyValues().get(i),
                                text.bias(),
                                rows,
                                how);
            }
            Tensor out = scaleShiftTable.value().plus(condition.unsqueeze(1)); // [N,2,D]
            x = AdaLn.modulated(x, out.narrow(1, 0, 1), out.narrow(1, 1, 1), OUT_EPS);
            x = projOut.forward(x); // [N,T,p·p·C']
            return scope.keep(posEmbed.unpatchify(x, latents.size(2), latents.size(3)));
        }
    }

    /** Runs a block; all that it uses is an input of the segment, which may outlive the scopes. */
    private Tensor run(
            Block block,
            Tensor x,
            Tensor modulation,
            KeyValue text,
            @Nullable Tensor bias,
            long rows,
            BlockRun how) {
        return segments()
                .run(
                        in -> {
                            var keyValue = new KeyValue(in.get(2), in.get(3));
                            return block.forward(
                                    in.get(0), in.get(1), keyValue, in.orNull(4), rows, how);
                        },
                        x,
                        modulation,
                        text.key(),
                        text.value(),
                        bias);
    }

    /** A block: self-attention, attention to the text, a feed-forward network. */
    private static final class Block extends Module {
        private final String path;
        private final double eps;
        private final Parameter scaleShiftTable;
        private final Attention attn1;
        private final Attention attn2;
        private final FeedForward ff;

        Block(Weights w, PixArtConfig config) {
            super(w);
            path = w.path();
            eps = config.normEps();
            scaleShiftTable = table(w, 6, config.width());
            attn1 =
                    new Attention(
                            w.sub("attn1"),
                            config.attention(config.width()),
                            AttentionKeys.DIFFUSERS);
            attn2 =
                    new Attention(
                            w.sub("attn2"),
                            config.attention(config.crossAttentionDim()),
                            AttentionKeys.DIFFUSERS);
            ff = new FeedForward(w.sub("ff"), config.width(), config.activation());
        }

        /**
         * Transforms the tokens.
         *
         * @param x tokens {@code [N,T,D]}
         * @param modulation {@code [N,6,D]}
         * @param text keys and values {@code [N,L,D]}
         * @param bias added to the scores of the text's tokens, {@code [N,1,1,L]}; null for none
         * @param rows of patches
         * @return {@code [N,T,D]}
         */
        Tensor forward(
                Tensor x,
                Tensor modulation,
                KeyValue text,
                @Nullable Tensor bias,
                long rows,
                BlockRun run) {
            if (run.skips(path)) {
                return x;
            }
            try (var scope = TensorScope.open()) {
                var m = AdaLn.split(scaleShiftTable.value().plus(modulation)); // six [N,1,D]
                Tensor in = m.attnIn(x, eps);
                x = m.attnOut(x, run.attend(path, attn1, in, rows, x.size(1) / rows));
                x = x.plus(attn2.forward(x, text, bias));
                x = m.mlpOut(x, ff.forward(m.mlpIn(x, eps)));
                return scope.keep(x); // [N,T,D]
            }
        }
    }

    /**
     * The condition on timestep and size, and the modulation that all blocks share (adaLN-single).
     */
    private static final class AdaLnSingle extends Module {
        private final TimestepEmbedding timestepEmbedder;
        private final @Nullable TimestepEmbedding resolutionEmbedder;
        private final @Nullable TimestepEmbedding aspectRatioEmbedder;
        private final Linear linear;

        AdaLnSingle(Weights w, PixArtConfig config) {
            super(w);
            long width = config.width();
            timestepEmbedder =
                    new TimestepEmbedding(
                            w.sub("emb.timestep_embedder"), width, 0, config.timeCondProjDim());
            if (config.useAdditionalConditions()) {
                resolutionEmbedder =
                        new TimestepEmbedding(w.sub("emb.resolution_embedder"), width / 3, 0);
                aspectRatioEmbedder =
                        new TimestepEmbedding(w.sub("emb.aspect_ratio_embedder"), width / 3, 0);
            } else {
                resolutionEmbedder = null;
                aspectRatioEmbedder = null;
            }
            linear = Linear.asInPyTorch(w.sub("linear"), width, 6 * width, true);
        }

        /** Returns the condition {@code [N,D]}. */
        Tensor condition(Tensor timestep, @Nullable PixArtSize size, @Nullable Tensor guidance) {
            Tensor condition = timestepEmbedder.forward(timestep, guidance);
            if (resolutionEmbedder == null || aspectRatioEmbedder == null) {
                return condition;
            }
            if (size == null) {
                throw new IllegalArgumentException(
                        "PixArt: this network is conditioned on the size of the picture; pass it");
            }
            long n = size.resolution().size(0);
            Tensor resolution = resolutionEmbedder.forward(size.resolution().reshape(2 * n));
            Tensor aspectRatio = aspectRatioEmbedder.forward(size.aspectRatio().reshape(n));
            return condition.plus(Ops.cat(1, resolution.reshape(n, -1), aspectRatio));
        }

        /** Returns the modulation {@code [N,6,D]} by a condition. */
        Tensor modulation(Tensor condition) {
            return linear.forward(condition.silu()).reshape(condition.size(0), 6, -1);
        }
    }

    /** The projection of the text encoder's tokens to this network's width. */
    private static final class CaptionProjection extends Module {
        private final Linear linear1;
        private final Linear linear2;

        CaptionProjection(Weights w, PixArtConfig config) {
            super(w);
            linear1 =
                    Linear.asInPyTorch(w.sub("linear_1"), config.textWidth(), config.width(), true);
            linear2 = Linear.asInPyTorch(w.sub("linear_2"), config.width(), config.width(), true);
        }

        Tensor forward(Tensor caption) {
            return linear2.forward(linear1.forward(caption).geluTanh());
        }
    }
}
