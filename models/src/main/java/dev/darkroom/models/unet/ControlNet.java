package dev.darkroom.models.unet;

import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Init;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.ArrayList;
import java.util.List;

/**
 * ControlNet (Zhang et al. 2023, arXiv:2302.05543), diffusers' {@code ControlNetModel}: a copy of
 * the way down of a {@link Unet} that also sees a picture, such as edges or a pose; what it makes
 * goes through convolutions of one pixel, which were zero when its training began, and is added to
 * what the U-Net's way down makes.
 */
public final class ControlNet extends Module {
    private static final int COLOURS = 3;

    private final ControlNetConfig config;
    private final ContractingPath down;
    private final ConditioningEmbedding controlnetCondEmbedding;
    private final List<Conv2d> controlnetDownBlocks;
    private final Conv2d controlnetMidBlock;

    /** Declares the network. */
    public ControlNet(Weights w, ControlNetConfig config) {
        super(w);
        this.config = config;
        down = new ContractingPath(w, config.path());
        controlnetCondEmbedding =
                new ConditioningEmbedding(w.sub("controlnet_cond_embedding"), config);
        List<Integer> widths = widths(config.path());
        controlnetDownBlocks = new ArrayList<>();
        for (int i = 0; i < widths.size(); i++) {
            controlnetDownBlocks.add(zero(w.sub("controlnet_down_blocks", i), widths.get(i)));
        }
        controlnetMidBlock =
                zero(w.sub("controlnet_mid_block"), config.path().blockOutChannels().getLast());
    }

    /** Channels of all that the way down makes: the first convolution, layers, halvings. */
    private static List<Integer> widths(UnetConfig path) {
        List<Integer> widths = new ArrayList<>(List.of(path.blockOutChannels().getFirst()));
        for (int level = 0; level < path.levels(); level++) {
            boolean isLast = level == path.levels() - 1;
            for (int i = 0; i < path.layersPerBlock() + (isLast ? 0 : 1); i++) {
                widths.add(path.blockOutChannels().get(level));
            }
        }
        return widths;
    }

    private static Conv2d zero(Weights w, int channels) {
        return new Conv2d(w, channels, channels, 1, 1, 0, true, Init.ZEROS);
    }

    /** Returns the network as a part of checkpoints, by its name. */
    public static NetworkPart<ControlNetConfig, ControlNet> part(String name) {
        return new NetworkPart<>(
                name,
                Library.DIFFUSERS,
                List.of("ControlNetModel"),
                ControlNetConfig::of,
                ControlNet::new);
    }

    /** Returns the config that the network was made with. */
    public ControlNetConfig config() {
        return config;
    }

    /**
     * Embeds a picture, once for all evaluations.
     *
     * @param picture from 0 to 1 {@code [N,3,H,W]}, of any type
     * @return {@code [N,C,h,w]}, of the size of the latents
     */
    Tensor embed(Tensor picture) {
        try (var scope = TensorScope.open()) {
            Tensor seen = picture.to(dtype()).to(device());
            return scope.keep(
                    controlnetCondEmbedding.forward(config.isBgr() ? seen.flip(1) : seen));
        }
    }

    /**
     * Makes what is added to a U-Net's features, not yet scaled.
     *
     * @param latents {@code [N,C,H,W]}
     * @param timestep {@code [N]}, or {@code [1]} for all
     * @param condition has what the config asks for
     * @param text the condition's
     * @param embedded what {@link #embed} made, with one row for all or one for each
     * @throws IllegalArgumentException if a shape is another, or a condition is missing
     */
    Features forward(
            Tensor latents,
            Tensor timestep,
            UnetCondition condition,
            AttendedText text,
            Tensor embedded) {
        try (var scope = TensorScope.open()) {
            Tensor time = down.time(timestep, condition); // [N,timeWidth]
            Tensor x = down.enter(latents).plus(embedded); // [N,C,H,W]
            Features made = down.forward(x, time, text.evaluated(segments()), BlockRun.PLAIN);
            List<Tensor> added = new ArrayList<>();
            for (int i = 0; i < controlnetDownBlocks.size(); i++) {
                added.add(controlnetDownBlocks.get(i).forward(made.skips().get(i)));
            }
            return new Features(added, controlnetMidBlock.forward(made.middle())).keptBy(scope);
        }
    }

    /** Convolutions from pixels to features of the latents' size. */
    private static final class ConditioningEmbedding extends Module {
        private final Conv2d convIn;
        private final List<Conv2d> blocks;
        private final Conv2d convOut;

        ConditioningEmbedding(Weights w, ControlNetConfig config) {
            super(w);
            List<Integer> widths = config.conditioningChannels();
            convIn = new Conv2d(w.sub("conv_in"), COLOURS, widths.getFirst(), 3, 1);
            blocks = new ArrayList<>();
            for (int i = 0; i + 1 < widths.size(); i++) {
                int width = widths.get(i);
                blocks.add(new Conv2d(w.sub("blocks", 2 * i), width, width, 3, 1));
                Weights halving = w.sub("blocks", 2 * i + 1);
                blocks.add(new Conv2d(halving, width, widths.get(i + 1), 3, 2, 1, true));
            }
            int features = config.path().blockOutChannels().getFirst();
            convOut = new Conv2d(w.sub("conv_out"), widths.getLast(), features, 3, 1);
        }

        /** {@code [N,3,H,W]} to {@code [N,C,h,w]}. */
        Tensor forward(Tensor picture) {
            Tensor x = activated(convIn, picture);
            for (Conv2d block : blocks) {
                try (Tensor before = x) {
                    x = activated(block, before);
                }
            }
            return convOut.forward(x);
        }

        private static Tensor activated(Conv2d layer, Tensor x) {
            try (Tensor y = layer.forward(x)) {
                return y.silu();
            }
        }
    }
}
