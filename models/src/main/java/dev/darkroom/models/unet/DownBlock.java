package dev.darkroom.models.unet;

import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.models.layers.ResnetBlock;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.ArrayList;
import java.util.List;

/** A block on the way down; all but the last halve the resolution at their end. */
final class DownBlock extends Module {
    private final List<ResnetBlock> resnets;
    private final List<SpatialTransformer> attentions;
    private final List<Downsample> downsamplers;

    /** Declares the block of a level, counted from the latents' resolution down. */
    DownBlock(Weights w, int level, UnetConfig config) {
        super(w);
        int layers = config.layersPerBlock();
        int in = config.blockOutChannels().get(Math.max(level - 1, 0));
        int out = config.blockOutChannels().get(level);
        resnets = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            resnets.add(
                    new ResnetBlock(w.sub("resnets", i), i == 0 ? in : out, out, config.resnets()));
        }
        boolean onlyCross = config.onlyCrossAttention().get(level);
        attentions = new ArrayList<>();
        for (int i = 0; i < (config.downBlockAttention().get(level) ? layers : 0); i++) {
            int depth = config.downDepth(level, i);
            attentions.add(
                    new SpatialTransformer(
                            w.sub("attentions", i), level, depth, onlyCross, config));
        }
        boolean isLast = level == config.levels() - 1;
        downsamplers = w.list("downsamplers", isLast ? 0 : 1, each -> new Downsample(each, out));
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,in,H,W]}
     * @param time {@code [N,timeWidth]}
     * @return what each layer made {@code [N,out,H,W]}, and last, unless the block is the last,
     *     {@code [N,out,⌈H/2⌉,⌈W/2⌉]}
     */
    List<Tensor> forward(Tensor x, Tensor time, AttendedText text, BlockRun run) {
        List<Tensor> made = new ArrayList<>();
        try (var scope = TensorScope.open()) {
            for (int i = 0; i < resnets.size(); i++) {
                x = resnets.get(i).forward(x, time);
                if (!attentions.isEmpty()) {
                    x = attentions.get(i).forward(x, text, run);
                }
                made.add(scope.keep(x));
            }
            for (Downsample each : downsamplers) {
                made.add(scope.keep(each.forward(x)));
            }
            return made;
        }
    }

    /** A convolution with stride 2. */
    private static final class Downsample extends Module {
        private final Conv2d conv;

        Downsample(Weights w, int channels) {
            super(w);
            conv = new Conv2d(w.sub("conv"), channels, channels, 3, 2, 1, true);
        }

        /** {@code [N,C,H,W]} to {@code [N,C,⌈H/2⌉,⌈W/2⌉]}. */
        Tensor forward(Tensor x) {
            return conv.forward(x);
        }
    }
}
