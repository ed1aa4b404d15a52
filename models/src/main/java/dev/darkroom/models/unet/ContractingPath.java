package dev.darkroom.models.unet;

import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.models.layers.Sinusoids;
import dev.darkroom.models.layers.TimestepEmbedding;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Embedding;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * The half of a U-Net that goes down to lower resolutions, and the block in the middle: what {@link
 * Unet} and {@link ControlNet} have in common. Its keys stand beside theirs.
 */
final class ContractingPath extends Module {
    private final UnetConfig config;
    private final Conv2d convIn;
    private final TimestepEmbedding timeEmbedding;
    private final @Nullable Embedding classEmbedding;
    private final @Nullable AddEmbedding addEmbedding;
    private final List<DownBlock> downBlocks;
    private final MidBlock midBlock;

    ContractingPath(Weights w, UnetConfig config) {
        super(w);
        this.config = config;
        int channels = config.blockOutChannels().getFirst();
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
                IntStream.range(0, config.levels())
                        .mapToObj(i -> new DownBlock(w.sub("down_blocks", i), i, config))
                        .toList();
        midBlock = new MidBlock(w.sub("mid_block"), config);
    }

    /** Embeds all that is one vector for a sample: {@code [N,timeWidth]}, or {@code [1,…]}. */
    Tensor time(Tensor timestep, UnetCondition condition) {
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

    /**
     * The first convolution.
     *
     * @param latents {@code [N,in,H,W]}
     * @return {@code [N,C,H,W]}
     * @throws IllegalArgumentException if the latents have another shape than the config says
     */
    Tensor enter(Tensor latents) {
        if (latents.rank() != 4 || latents.size(1) != config.inChannels()) {
            throw new IllegalArgumentException(
                    "U-Net: latents "
                            + latents.shape()
                            + " must be [N,"
                            + config.inChannels()
                            + ",H,W]");
        }
        return convIn.forward(latents);
    }

    /**
     * Goes down.
     *
     * @param x what {@link #enter} made {@code [N,C,H,W]}
     * @param time what {@link #time} made {@code [N,timeWidth]}
     */
    Features forward(Tensor x, Tensor time, AttendedText text, BlockRun run) {
        List<Tensor> made = new ArrayList<>(List.of(segments().boundary(x)));
        for (DownBlock block : downBlocks) {
            made.addAll(
                    segments()
                            .runAll(
                                    in ->
                                            block.forward(
                                                    in.get(0), in.get(1), text.in(in.get(2)), run),
                                    made.getLast(),
                                    time,
                                    text.states()));
        }
        Tensor middle =
                segments()
                        .run(
                                in ->
                                        midBlock.forward(
                                                in.get(0), in.get(1), text.in(in.get(2)), run),
                                made.getLast(),
                                time,
                                text.states());
        return new Features(made, middle);
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
