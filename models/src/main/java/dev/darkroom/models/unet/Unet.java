package dev.darkroom.models.unet;

import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.models.layers.Sinusoids;
import dev.darkroom.models.layers.TimestepEmbedding;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Embedding;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * The U-Net of Stable Diffusion (Rombach et al. 2022, arXiv:2112.10752) and Stable Diffusion XL
 * (Podell et al. 2023, arXiv:2307.01952), diffusers' {@code UNet2DConditionModel}: features go down
 * to lower resolutions and up again, where each layer also sees what the way down made; they attend
 * to a text.
 */
public final class Unet extends DiffusionNetwork {
    /** The condition's text {@code [N,L,E]}. */
    public static final String TEXT = "text";

    /** The condition's pooled text {@code [N,P]}, for a network that is conditioned on sizes. */
    public static final String POOLED = "pooled";

    /** The condition's numbers of the picture's size {@code [N,K]}, for such a network. */
    public static final String SIZES = "sizes";

    /** The condition's classes, int64 {@code [N]}, for a network with classes. */
    public static final String LABELS = "labels";

    private final UnetConfig config;
    private final Conv2d convIn;
    private final TimestepEmbedding timeEmbedding;
    private final @Nullable Embedding classEmbedding;
    private final @Nullable AddEmbedding addEmbedding;
    private final List<DownBlock> downBlocks;
    private final MidBlock midBlock;
    private final List<UpBlock> upBlocks;
    private final GroupNorm convNormOut;
    private final Conv2d convOut;

    /** Declares the network. */
    public Unet(Weights w, UnetConfig config) {
        super(w);
        this.config = config;
        int channels = config.blockOutChannels().getFirst();
        int levels = config.levels();
        convIn = new Conv2d(w.sub("conv_in"), config.inChannels(), channels, 3, 1);
        timeEmbedding =
                new TimestepEmbedding(
                        w.sub("time_embedding"),
                        channels,
                        config.timeWidth(),
                        0,
                        config.timeCondProjDim());
        classEmbedding =
                config.numClassEmbeds() == null
                        ? null
                        : new Embedding(
                                w.sub("class_embedding"),
                                config.numClassEmbeds(),
                                config.timeWidth());
        addEmbedding = config.isSized() ? new AddEmbedding(w.sub("add_embedding"), config) : null;
        downBlocks =
                IntStream.range(0, levels)
                        .mapToObj(i -> new DownBlock(w.sub("down_blocks", i), i, config))
                        .toList();
        midBlock = new MidBlock(w.sub("mid_block"), config);
        upBlocks =
                IntStream.range(0, levels)
                        .mapToObj(i -> new UpBlock(w.sub("up_blocks", i), i, config))
                        .toList();
        convNormOut =
                new GroupNorm(
                        w.sub("conv_norm_out"), config.normNumGroups(), channels, config.normEps());
        convOut = new Conv2d(w.sub("conv_out"), channels, config.outChannels(), 3, 1);
    }

    /** Returns the network as a part of checkpoints. */
    public static NetworkPart<UnetConfig, Unet> part() {
        return new NetworkPart<>(
                "unet",
                Library.DIFFUSERS,
                List.of("UNet2DConditionModel"),
                UnetConfig::of,
                Unet::new);
    }

    /** Returns the config that the network was made with. */
    public UnetConfig config() {
        return config;
    }

    @Override
    public int latentChannels() {
        return config.outChannels();
    }

    @Override
    public int shownChannels() {
        return config.inChannels() - config.outChannels();
    }

    @Override
    public long tokens(Shape latents) {
        return latents.size(1) * latents.size(2);
    }

    /**
     * Those at the highest resolution, in widths of its features: 22 of a transformer block with
     * its gated layer, 6 that the way down made, 12 of a residual block and of what convolutions
     * put their inputs and outputs in order with.
     */
    @Override
    public long activations(long rows, Shape latents) {
        return 40L * rows * tokens(latents) * config.blockOutChannels().getFirst();
    }

    @Override
    public boolean takesGuidance() {
        return config.timeCondProjDim() != null;
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
        var bound =
                new UnetCondition(
                        here(condition.get(TEXT)),
                        config.isSized() ? here(condition.get(POOLED)) : null,
                        config.isSized() ? condition.get(SIZES) : null,
                        classEmbedding == null ? null : condition.get(LABELS).to(device()),
                        takesGuidance() ? condition.get(Condition.DISTILLED_GUIDANCE) : null);
        Tensor shown = shownChannels() > 0 ? here(condition.get(Condition.SHOWN)) : null;
        return (x, timesteps) -> {
            Tensor latents = x.to(dtype());
            Tensor seen = shown == null ? latents : Ops.cat(1, latents, shown);
            return forward(seen, timesteps, bound, run);
        };
    }

    private Tensor here(Tensor values) {
        return values.to(dtype()).to(device());
    }

    /**
     * Predicts from noisy latents.
     *
     * @param latents {@code [N,C,H,W]} with the config's {@code inChannels}
     * @param timestep {@code [N]}, or {@code [1]} for all, of any type; 0 … 999
     * @param condition has what the config asks for, and nothing else
     * @return {@code [N,C',H,W]} with the config's {@code outChannels}
     * @throws IllegalArgumentException if a shape is another, or a condition is missing
     */
    public Tensor forward(Tensor latents, Tensor timestep, UnetCondition condition) {
        return forward(latents, timestep, condition, BlockRun.PLAIN);
    }

    private Tensor forward(Tensor latents, Tensor timestep, UnetCondition condition, BlockRun run) {
        requireShapes(latents, condition.text());
        try (var scope = TensorScope.open()) {
            Tensor time = segments().boundary(time(timestep, condition)); // [N,timeWidth]
            Tensor text = segments().boundary(condition.text());
            Tensor x = segments().boundary(convIn.forward(latents)); // [N,C,H,W]
            List<Tensor> made = new ArrayList<>(List.of(x));
            for (DownBlock block : downBlocks) {
                made.addAll(down(block, made.getLast(), time, text, run));
            }
            x =
                    segments()
                            .run(
                                    in -> midBlock.forward(in.get(0), in.get(1), in.get(2), run),
                                    made.getLast(),
                                    time,
                                    text);
            for (UpBlock block : upBlocks) {
                int left = made.size() - block.skips();
                List<Tensor> skips = List.copyOf(made.subList(left, made.size()).reversed());
                made.subList(left, made.size()).clear();
                x =
                        up(
                                block,
                                x,
                                skips,
                                time,
                                text,
                                made.isEmpty() ? skips.getLast() : made.getLast(),
                                run);
                skips.forEach(Tensor::close);
            }
            x = convNormOut.forward(x).silu(); // whatever the activation in the blocks
            return scope.keep(convOut.forward(x)); // [N,C',H,W]
        }
    }

    private void requireShapes(Tensor latents, Tensor text) {
        if (latents.rank() != 4
                || latents.size(1) != config.inChannels()
                || text.rank() != 3
                || text.size(2) != config.crossAttentionDim()) {
            throw new IllegalArgumentException(
                    "U-Net: latents "
                            + latents.shape()
                            + " must be [N,"
                            + config.inChannels()
                            + ",H,W], and the text "
                            + text.shape()
                            + " [N,L,"
                            + config.crossAttentionDim()
                            + "]");
        }
    }

    /** Embeds all that is one vector for a sample: {@code [N,timeWidth]}, or {@code [1,…]}. */
    private Tensor time(Tensor timestep, UnetCondition condition) {
        Tensor time = timeEmbedding.forward(timestep, condition.guidance());
        if (classEmbedding != null) {
            time = time.plus(classEmbedding.forward(required("labels", condition.labels())));
        }
        if (addEmbedding != null) {
            Tensor pooled = required("a pooled text", condition.pooled());
            time = time.plus(addEmbedding.forward(pooled, required("sizes", condition.sizes())));
        }
        return time;
    }

    private static Tensor required(String what, @Nullable Tensor value) {
        if (value == null) {
            throw new IllegalArgumentException("U-Net: this network is conditioned on " + what);
        }
        return value;
    }

    private List<Tensor> down(DownBlock block, Tensor x, Tensor time, Tensor text, BlockRun run) {
        return segments()
                .runAll(in -> block.forward(in.get(0), in.get(1), in.get(2), run), x, time, text);
    }

    /**
     * Runs a block; all that it uses is an input of the segment.
     *
     * @param next what the next block sees first, which has the resolution of this one's result
     */
    private Tensor up(
            UpBlock block,
            Tensor x,
            List<Tensor> skips,
            Tensor time,
            Tensor text,
            Tensor next,
            BlockRun run) {
        long height = next.size(2);
        long width = next.size(3);
        List<Tensor> inputs = new ArrayList<>(List.of(x, time, text));
        inputs.addAll(skips);
        return segments()
                .run(
                        in ->
                                block.forward(
                                        in.get(0),
                                        IntStream.range(3, 3 + block.skips())
                                                .mapToObj(in::get)
                                                .toList(),
                                        in.get(1),
                                        in.get(2),
                                        height,
                                        width,
                                        run),
                        inputs.toArray(Tensor[]::new));
    }

    /** The embedding of pooled texts and the picture's size (Podell et al. 2023, section 2.2). */
    private static final class AddEmbedding extends Module {
        private final int sinusoids;
        private final int inputs;
        private final Linear linear1;
        private final Linear linear2;

        AddEmbedding(Weights w, UnetConfig config) {
            super(w);
            sinusoids = required(config.additionTimeEmbedDim());
            inputs = required(config.projectionInputDim());
            linear1 = Linear.asInPyTorch(w.sub("linear_1"), inputs, config.timeWidth(), true);
            linear2 =
                    Linear.asInPyTorch(
                            w.sub("linear_2"), config.timeWidth(), config.timeWidth(), true);
        }

        private static int required(@Nullable Integer option) {
            return Objects.requireNonNull(option, "a sized network has both options");
        }

        /**
         * Embeds.
         *
         * @param pooled {@code [N,P]}
         * @param sizes {@code [N,K]}
         * @return {@code [N,timeWidth]}
         */
        Tensor forward(Tensor pooled, Tensor sizes) {
            if (pooled.size(1) + sizes.size(1) * sinusoids != inputs) {
                throw new IllegalArgumentException(
                        "U-Net: the pooled text "
                                + pooled.shape()
                                + " and "
                                + sinusoids
                                + " sinusoids for each of the sizes "
                                + sizes.shape()
                                + " must be "
                                + inputs
                                + " numbers together");
            }
            long n = sizes.size(0);
            Tensor waves = Sinusoids.embed(sizes.reshape(-1), sinusoids, 0).reshape(n, -1);
            Tensor waved = waves.to(pooled.dtype()).to(pooled.device());
            return linear2.forward(linear1.forward(Ops.cat(1, pooled, waved)).silu());
        }
    }
}
