package dev.darkroom.models.family.pixel;

import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.layers.OldAttention;
import dev.darkroom.models.layers.TimestepEmbedding;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Embedding;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The U-Net of DDPM (Ho et al. 2020, arXiv:2006.11239, appendix B), with what ADM adds to it
 * (Dhariwal and Nichol 2021, arXiv:2105.05233, section 3): diffusers' {@code UNet2DModel}. Features
 * go down to lower resolutions and up again, where each layer also sees what the way down made; a
 * class may be added to the timestep.
 */
public final class PixelUnet extends DiffusionNetwork {
    /** The condition's classes, int64 {@code [N]}, for a network with classes. */
    public static final String LABELS = "labels";

    private final PixelUnetConfig config;
    private final Conv2d convIn;
    private final TimestepEmbedding timeEmbedding;
    private final @Nullable Embedding classEmbedding;
    private final List<DownBlock> downBlocks;
    private final MidBlock midBlock;
    private final List<UpBlock> upBlocks;
    private final GroupNorm convNormOut;
    private final Conv2d convOut;

    /** Declares the network. */
    public PixelUnet(Weights w, PixelUnetConfig config) {
        super(w);
        this.config = config;
        int channels = config.blockOutChannels().getFirst();
        int levels = config.levels();
        convIn = new Conv2d(w.sub("conv_in"), config.inChannels(), channels, 3, 1);
        timeEmbedding = timeEmbedding(w.sub("time_embedding"), channels, config);
        classEmbedding =
                config.numClassEmbeds() == null
                        ? null
                        : new Embedding(
                                w.sub("class_embedding"),
                                config.numClassEmbeds(),
                                config.timeWidth());
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

    private static TimestepEmbedding timeEmbedding(
            Weights w, int channels, PixelUnetConfig config) {
        return config.sinesFirst()
                ? TimestepEmbedding.withSinesFirst(
                        w, channels, config.timeWidth(), config.frequencyShift())
                : new TimestepEmbedding(
                        w, channels, config.timeWidth(), config.frequencyShift(), null);
    }

    /** Returns the network as a part of checkpoints. */
    public static NetworkPart<PixelUnetConfig, PixelUnet> part() {
        return new NetworkPart<>(
                "unet",
                Library.DIFFUSERS,
                List.of("UNet2DModel"),
                PixelUnetConfig::of,
                PixelUnet::new,
                OldAttention::currentNames);
    }

    /** Returns the config that the network was made with. */
    public PixelUnetConfig config() {
        return config;
    }

    @Override
    public int latentChannels() {
        return config.inChannels();
    }

    @Override
    public long tokens(Shape latents) {
        return latents.size(1) * latents.size(2);
    }

    /**
     * Those at the highest resolution, in widths of its features: what the way down made of each
     * layer there, and 14 of a residual block and of what convolutions put their inputs and outputs
     * in order with.
     */
    @Override
    public long activations(long rows, Shape latents) {
        long widths = 14L + 2 * (config.layersPerBlock() + 1);
        return widths * rows * tokens(latents) * config.blockOutChannels().getFirst();
    }

    @Override
    public Network bind(Condition condition) {
        Tensor labels = classEmbedding == null ? null : condition.get(LABELS).to(device());
        return (x, timesteps) -> forward(x.to(dtype()), timesteps, labels);
    }

    /**
     * Predicts from noisy pictures.
     *
     * @param x {@code [N,C,H,W]} with the config's {@code inChannels}, H and W multiples of 2 to
     *     the power of the levels less 1
     * @param timestep {@code [N]}, or {@code [1]} for all, of any type
     * @param labels classes, int64 {@code [N]}, only for a network with classes
     * @return {@code [N,C',H,W]} with the config's {@code outChannels}
     * @throws IllegalArgumentException if a shape is another, or classes are missing or too many
     */
    public Tensor forward(Tensor x, Tensor timestep, @Nullable Tensor labels) {
        requireShape(x);
        try (var scope = TensorScope.open()) {
            Tensor time = segments().boundary(time(timestep, labels)); // [N,timeWidth]
            Tensor input = config.centerInput() ? x.times(2).minus(1) : x;
            List<Tensor> made = new ArrayList<>();
            made.add(segments().boundary(convIn.forward(input))); // [N,C,H,W]
            for (DownBlock block : downBlocks) {
                made.addAll(
                        segments()
                                .runAll(
                                        in -> block.forward(in.get(0), in.get(1)),
                                        made.getLast(),
                                        time));
            }
            Tensor h =
                    segments()
                            .run(
                                    in -> midBlock.forward(in.get(0), in.get(1)),
                                    made.getLast(),
                                    time);
            for (UpBlock block : upBlocks) {
                List<Tensor> rest = made.subList(made.size() - block.skips(), made.size());
                List<Tensor> skips = List.copyOf(rest.reversed());
                rest.clear();
                h = up(block, h, time, skips);
                skips.forEach(Tensor::close);
            }
            h = convNormOut.forward(h).silu(); // whatever the activation in the blocks
            return scope.keep(convOut.forward(h)); // [N,C',H,W]
        }
    }

    /** Runs a block; all that it uses is an input of the segment. */
    private Tensor up(UpBlock block, Tensor x, Tensor time, List<Tensor> skips) {
        List<Tensor> inputs = new ArrayList<>(List.of(x, time));
        inputs.addAll(skips);
        return segments()
                .run(
                        in ->
                                block.forward(
                                        in.get(0),
                                        in.get(1),
                                        IntStream.range(2, 2 + block.skips())
                                                .mapToObj(in::get)
                                                .toList()),
                        inputs.toArray(Tensor[]::new));
    }

    /** Embeds the timestep, and adds the class: {@code [N,timeWidth]}, or {@code [1,…]}. */
    private Tensor time(Tensor timestep, @Nullable Tensor labels) {
        Tensor time = timeEmbedding.forward(timestep);
        if (classEmbedding == null && labels == null) {
            return time;
        }
        if (classEmbedding == null || labels == null) {
            throw new IllegalArgumentException(
                    classEmbedding == null
                            ? "U-Net: this network has no classes"
                            : "U-Net: this network is conditioned on classes");
        }
        return time.plus(classEmbedding.forward(labels));
    }

    private void requireShape(Tensor x) {
        int multiple = config.multiple();
        if (x.rank() != 4
                || x.size(1) != config.inChannels()
                || x.size(2) % multiple != 0
                || x.size(3) % multiple != 0) {
            throw new IllegalArgumentException(
                    "U-Net: pictures "
                            + x.shape()
                            + " must be [N,"
                            + config.inChannels()
                            + ",H,W] with H and W multiples of "
                            + multiple);
        }
    }
}
