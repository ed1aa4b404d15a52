package dev.darkroom.models.family.dit;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.FlowMapNetwork;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.models.family.PatchTransformer;
import dev.darkroom.models.layers.AdaLn;
import dev.darkroom.models.layers.AttentionKeys;
import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.models.layers.FeedForward;
import dev.darkroom.models.layers.PatchEmbed;
import dev.darkroom.models.layers.TimestepEmbedding;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.Embedding;
import dev.darkroom.runtime.nn.Init;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * DiT (Peebles and Xie 2023): a transformer over patches of latents, each block conditioned on the
 * timestep and a class by adaLN-zero. diffusers calls it {@code DiTTransformer2DModel}, once {@code
 * Transformer2DModel}; in its checkpoints each block has embedders of its own, and the first
 * block's condition the output too.
 *
 * <p>Where a network has twice as many output as input channels, the first half is the predicted
 * noise and the second its variance.
 *
 * <p>With a {@link SecondTime} it is a {@link FlowMapNetwork}: each block embeds the end of a step
 * too, by {@code norm1.emb.delta_embedder}.
 */
public final class DitTransformer extends PatchTransformer {
    /** The condition's classes, int64 {@code [N]}. */
    public static final String LABELS = "labels";

    /** The epsilon of the norms for which the config sets none. */
    private static final double EPS = 1e-6;

    private final DitConfig config;
    private final PatchEmbed posEmbed;
    private final List<Block> transformerBlocks;
    private final Linear projOut1;
    private final Linear projOut2;

    /** Declares the network; a randomly initialised one begins with gates and an output of zero. */
    public DitTransformer(Weights w, DitConfig config) {
        super(
                w,
                config.inChannels(),
                config.patchSize(),
                config.width(),
                config.timeCondProjDim() != null);
        this.config = config;
        w.ignore("pos_embed.pos_embed"); // computed here; older conversions have the table
        long width = config.width();
        long patch = config.patchSize();
        posEmbed =
                new PatchEmbed(
                        w.sub("pos_embed"),
                        config.inChannels(),
                        width,
                        patch,
                        config.sampleSize(),
                        1);
        transformerBlocks =
                w.list("transformer_blocks", config.numLayers(), each -> new Block(each, config));
        projOut1 = new Linear(w.sub("proj_out_1"), width, 2 * width, true, Init.ZEROS);
        projOut2 =
                new Linear(
                        w.sub("proj_out_2"),
                        width,
                        patch * patch * config.outChannels(),
                        true,
                        Init.ZEROS);
    }

    /** Returns the config that the network was made with. */
    public DitConfig config() {
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
        Tensor labels = condition.get(LABELS);
        @Nullable Tensor guidance =
                takesGuidance() ? condition.get(Condition.DISTILLED_GUIDANCE) : null;
        if (config.secondTime() == null) {
            return (x, timesteps) ->
                    forward(x.to(dtype()), timesteps, timesteps, labels, guidance, run);
        }
        FlowMapNetwork ofTwoTimes =
                (x, timesteps, ends) ->
                        forward(x.to(dtype()), timesteps, ends, labels, guidance, run);
        return ofTwoTimes;
    }

    /**
     * Predicts from noisy latents.
     *
     * @param latents {@code [N,C,H,W]}, H and W multiples of the patch size
     * @param timestep {@code [N]}, or {@code [1]} for all, of any type; 0 … 999
     * @param labels int64 {@code [N]}, 0 … the config's {@link DitConfig#nullClass}, which stands
     *     for no class
     * @return {@code [N,C',H,W]} with the config's {@code outChannels}
     */
    public Tensor forward(Tensor latents, Tensor timestep, Tensor labels) {
        return forward(latents, timestep, labels, null);
    }

    /**
     * Predicts from noisy latents, conditioned on a distilled guidance.
     *
     * @param guidance the guidance scale less 1, {@code [N]}, or {@code [1]} for all; null unless
     *     the config has a {@code timeCondProjDim}
     * @return {@code [N,C',H,W]}, as without a guidance
     */
    public Tensor forward(
            Tensor latents, Tensor timestep, Tensor labels, @Nullable Tensor guidance) {
        return forward(latents, timestep, timestep, labels, guidance, BlockRun.PLAIN);
    }

    private Tensor forward(
            Tensor latents,
            Tensor timestep,
            Tensor end,
            Tensor labels,
            @Nullable Tensor guidance,
            BlockRun run) {
        long rows = latents.size(2) / config.patchSize();
        try (var scope = TensorScope.open()) {
            Tensor x = posEmbed.forward(latents); // [N,T,D]
            for (Block block : transformerBlocks) {
                Tensor condition = block.condition(timestep, end, labels, guidance); // [N,D]
                x =
                        segments()
                                .run(
                                        in -> block.forward(in.get(0), in.get(1), rows, run),
                                        x,
                                        condition);
            }
            Tensor condition =
                    transformerBlocks
                            .getFirst()
                            .condition(timestep, end, labels, guidance); // [N,D]
            List<Tensor> out = projOut1.forward(condition.silu()).unsqueeze(1).chunk(2, 2);
            x = AdaLn.modulated(x, out.get(0), out.get(1), EPS);
            x = projOut2.forward(x); // [N,T,p·p·C']
            return scope.keep(posEmbed.unpatchify(x, latents.size(2), latents.size(3)));
        }
    }

    /** A block: self-attention and a feed-forward network. */
    private static final class Block extends Module {
        private final String path;
        private final double mlpEps;
        private final @Nullable SecondTime secondTime;
        private final TimestepEmbedding timestepEmbedder;
        private final @Nullable TimestepEmbedding deltaEmbedder;
        private final Embedding classEmbedder;
        private final Linear adaLn;
        private final Attention attn1;
        private final FeedForward ff;

        Block(Weights w, DitConfig config) {
            super(w);
            long width = config.width();
            path = w.path();
            mlpEps = config.normEps();
            timestepEmbedder =
                    new TimestepEmbedding(
                            w.sub("norm1.emb.timestep_embedder"),
                            width,
                            1,
                            config.timeCondProjDim());
            secondTime = config.secondTime();
            deltaEmbedder =
                    secondTime == null
                            ? null
                            : new TimestepEmbedding(w.sub("norm1.emb.delta_embedder"), width, 1);
            classEmbedder =
                    new Embedding(
                            w.sub("norm1.emb.class_embedder.embedding_table"),
                            config.nullClass() + 1,
                            width);
            adaLn = new Linear(w.sub("norm1.linear"), width, 6 * width, true, Init.ZEROS);
            attn1 = new Attention(w.sub("attn1"), config.attention(), AttentionKeys.DIFFUSERS);
            ff = new FeedForward(w.sub("ff"), width, config.activation());
        }

        /** Returns the condition {@code [N,D]} on the two times, class and guidance. */
        Tensor condition(Tensor timestep, Tensor end, Tensor labels, @Nullable Tensor guidance) {
            Tensor time = timestepEmbedder.forward(timestep, guidance);
            if (deltaEmbedder != null && secondTime != null) {
                Tensor delta =
                        deltaEmbedder.forward(secondTime.interval() ? timestep.minus(end) : end);
                double gate = secondTime.gateValue();
                time = time.times(1 - gate).plus(delta, gate);
            }
            return time.plus(classEmbedder.forward(labels));
        }

        /**
         * Transforms the tokens.
         *
         * @param x tokens {@code [N,T,D]}
         * @param condition {@code [N,D]}
         * @param rows of patches
         * @return {@code [N,T,D]}
         */
        Tensor forward(Tensor x, Tensor condition, long rows, BlockRun run) {
            if (run.skips(path)) {
                return x;
            }
            try (var scope = TensorScope.open()) {
                Tensor modulation = adaLn.forward(condition.silu()); // [N,6·D]
                var m = AdaLn.split(modulation.reshape(condition.size(0), 6, -1));
                Tensor in = m.attnIn(x, EPS);
                x = m.attnOut(x, run.attend(path, attn1, in, rows, x.size(1) / rows));
                x = m.mlpOut(x, ff.forward(m.mlpIn(x, mlpEps)));
                return scope.keep(x); // [N,T,D]
            }
        }
    }
}
