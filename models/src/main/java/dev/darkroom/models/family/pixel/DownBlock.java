package dev.darkroom.models.family.pixel;

import dev.darkroom.models.family.pixel.PixelUnetConfig.Block;
import dev.darkroom.models.layers.AttentionBlock;
import dev.darkroom.models.layers.ResnetBlock;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BinaryOperator;

/** A block on the way down; all but the last halve the resolution at their end. */
final class DownBlock extends Module {
    private final List<ResnetBlock> resnets;
    private final List<AttentionBlock> attentions;

    /** Each takes features and the timestep's embedding. */
    private final List<BinaryOperator<Tensor>> downsamplers;

    /** Declares the block of a level, counted from the pixels' resolution down. */
    DownBlock(Weights w, int level, PixelUnetConfig config) {
        super(w);
        Block kind = config.downBlocks().get(level);
        int layers = config.layersPerBlock();
        int in = config.blockOutChannels().get(Math.max(level - 1, 0));
        int out = config.blockOutChannels().get(level);
        resnets = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            resnets.add(
                    new ResnetBlock(w.sub("resnets", i), i == 0 ? in : out, out, config.resnets()));
        }
        attentions =
                w.list(
                        "attentions",
                        kind == Block.ATTENTION ? layers : 0,
                        each -> config.attention(each, out, config.normNumGroups()));
        boolean byResnet =
                kind == Block.RESNET || kind == Block.ATTENTION && config.resnetDownsampling();
        boolean isLast = level == config.levels() - 1;
        downsamplers =
                w.list(
                        "downsamplers",
                        isLast ? 0 : 1,
                        each ->
                                byResnet
                                        ? halvingResnet(each, out, config)
                                        : conv(each, out, config));
    }

    private static BinaryOperator<Tensor> halvingResnet(
            Weights w, int channels, PixelUnetConfig config) {
        return new ResnetBlock(
                        w, channels, channels, config.resnets(), ResnetBlock.Resampling.HALVED)
                ::forward;
    }

    private static BinaryOperator<Tensor> conv(Weights w, int channels, PixelUnetConfig config) {
        var downsample = new Downsample(w, channels, config.halvesRightAndBelow());
        return (x, time) -> downsample.forward(x);
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,in,H,W]}
     * @param time {@code [N,timeWidth]}
     * @return what each layer made {@code [N,out,H,W]}, and last, unless the block is the last,
     *     {@code [N,out,H/2,W/2]}
     */
    List<Tensor> forward(Tensor x, Tensor time) {
        List<Tensor> made = new ArrayList<>();
        try (var scope = TensorScope.open()) {
            for (int i = 0; i < resnets.size(); i++) {
                x = resnets.get(i).forward(x, time);
                if (!attentions.isEmpty()) {
                    x = attentions.get(i).forward(x);
                }
                made.add(scope.keep(x));
            }
            for (var each : downsamplers) {
                made.add(scope.keep(each.apply(x, time)));
            }
            return made;
        }
    }

    /** A convolution with stride 2, padded with zeros all around, or at the right and below. */
    private static final class Downsample extends Module {
        private final Conv2d conv;
        private final boolean rightAndBelow;

        Downsample(Weights w, int channels, boolean rightAndBelow) {
            super(w);
            this.rightAndBelow = rightAndBelow;
            conv = new Conv2d(w.sub("conv"), channels, channels, 3, 2, rightAndBelow ? 0 : 1, true);
        }

        /** {@code [N,C,H,W]} to {@code [N,C,H/2,W/2]}. */
        Tensor forward(Tensor x) {
            try (var scope = TensorScope.open()) {
                return scope.keep(conv.forward(rightAndBelow ? Ops.pad(x, 0, 0, 1, 0, 1) : x));
            }
        }
    }
}
