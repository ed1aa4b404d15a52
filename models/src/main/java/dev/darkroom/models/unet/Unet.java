package dev.darkroom.models.unet;

import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.models.family.DiffusionNetwork;
import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Weights;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
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
    private final ContractingPath down;
    private final List<UpBlock> upBlocks;
    private final GroupNorm convNormOut;
    private final Conv2d convOut;

    /** Declares the network. */
    public Unet(Weights w, UnetConfig config) {
        super(w);
        this.config = config;
        int channels = config.blockOutChannels().getFirst();
        down = new ContractingPath(w, config);
        upBlocks =
                IntStream.range(0, config.levels())
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
     * Those at the highest resolution, in widths of its features: 18 of a transformer block with
     * its gated layer, 6 that the way down made, 12 of a residual block and of what convolutions
     * put their inputs and outputs in order with.
     */
    @Override
    public long activations(long rows, Shape latents) {
        return 36L * rows * tokens(latents) * config.blockOutChannels().getFirst();
    }

    @Override
    public boolean takesGuidance() {
        return config.timeCondProjDim() != null;
    }

    @Override
    public Network bind(Condition condition) {
        return bind(condition, BlockRun.PLAIN, Residuals.NONE);
    }

    @Override
    public Network bind(Condition condition, Perturbation perturbation) {
        return bind(condition, BlockRun.of(perturbation, this), Residuals.NONE);
    }

    Network bind(Condition condition, BlockRun run, Residuals residuals) {
        UnetCondition bound = UnetCondition.of(condition, config, this);
        AttendedText text = AttendedText.of(bound.text(), config).projectedFor(this);
        Tensor shown =
                shownChannels() > 0
                        ? condition.get(Condition.SHOWN).to(dtype()).to(device())
                        : null;
        return (x, timesteps) -> {
            Tensor latents = x.to(dtype());
            Tensor seen = shown == null ? latents : Ops.cat(1, latents, shown);
            return forward(
                    seen,
                    timesteps,
                    bound,
                    text,
                    run,
                    made -> residuals.addTo(made, latents, timesteps));
        };
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
        return forward(
                latents,
                timestep,
                condition,
                AttendedText.of(condition.text(), config),
                BlockRun.PLAIN,
                UnaryOperator.identity());
    }

    private Tensor forward(
            Tensor latents,
            Tensor timestep,
            UnetCondition condition,
            AttendedText boundText,
            BlockRun run,
            UnaryOperator<Features> controlled) {
        try (var scope = TensorScope.open()) {
            Tensor time = segments().boundary(down.time(timestep, condition)); // [N,timeWidth]
            AttendedText text = boundText.evaluated(segments());
            Features features = down.forward(down.enter(latents), time, text, run);
            features = controlled.apply(features);
            Tensor x = features.middle(); // [N,C,h,w]
            List<Tensor> made = new ArrayList<>(features.skips());
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
            AttendedText text,
            Tensor next,
            BlockRun run) {
        long height = next.size(2);
        long width = next.size(3);
        List<Tensor> inputs = new ArrayList<>(List.of(x, time, text.states()));
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
                                        text.in(in.get(2)),
                                        height,
                                        width,
                                        run),
                        inputs.toArray(Tensor[]::new));
    }
}
