package dev.darkroom.models.family.pixel;

import dev.darkroom.models.family.pixel.PixelUnetConfig.Block;
import dev.darkroom.models.layers.AttentionBlock;
import dev.darkroom.models.layers.ResnetBlock;
import dev.darkroom.models.layers.Upsample;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BinaryOperator;

/**
 * A block on the way up: each layer sees what a layer of the same resolution made on the way down;
 * all but the last double the resolution at their end.
 */
final class UpBlock extends Module {
    private final List<ResnetBlock> resnets;
    private final List<AttentionBlock> attentions;

    /** Each takes features and the timestep's embedding. */
    private final List<BinaryOperator<Tensor>> upsamplers;

    /** Declares block {@code i}, counted from the lowest resolution up. */
    UpBlock(Weights w, int i, PixelUnetConfig config) {
        super(w);
        Block kind = config.upBlocks().get(i);
        int layers = config.layersPerBlock() + 1;
        int level = config.levels() - 1 - i;
        List<Integer> channels = config.blockOutChannels();
        int before = channels.get(Math.min(level + 1, config.levels() - 1));
        int out = channels.get(level);
        int lastSkip = channels.get(Math.max(level - 1, 0));
        resnets = new ArrayList<>();
        for (int j = 0; j < layers; j++) {
            int in = (j == 0 ? before : out) + (j == layers - 1 ? lastSkip : out);
            resnets.add(new ResnetBlock(w.sub("resnets", j), in, out, config.resnets()));
        }
        attentions =
                w.list(
                        "attentions",
                        kind == Block.ATTENTION ? layers : 0,
                        each -> config.attention(each, out, config.normNumGroups()));
        boolean byResnet =
                kind == Block.RESNET || kind == Block.ATTENTION && config.resnetUpsampling();
        upsamplers =
                w.list(
                        "upsamplers",
                        level == 0 ? 0 : 1,
                        each -> byResnet ? doublingResnet(each, out, config) : conv(each, out));
    }

    private static BinaryOperator<Tensor> doublingResnet(
            Weights w, int channels, PixelUnetConfig config) {
        return new ResnetBlock(
                        w, channels, channels, config.resnets(), ResnetBlock.Resampling.DOUBLED)
                ::forward;
    }

    private static BinaryOperator<Tensor> conv(Weights w, int channels) {
        var upsample = new Upsample(w, channels);
        return (x, time) -> upsample.forward(x);
    }

    /** Returns how many results of the way down the block takes. */
    int skips() {
        return resnets.size();
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,in,H,W]}
     * @param time {@code [N,timeWidth]}
     * @param skips what the way down made, latest first, each {@code [N,C,H,W]}
     * @return {@code [N,out,2·H,2·W]}, or {@code [N,out,H,W]} of the last block
     */
    Tensor forward(Tensor x, Tensor time, List<Tensor> skips) {
        try (var scope = TensorScope.open()) {
            for (int i = 0; i < resnets.size(); i++) {
                x = layer(i, x, skips.get(i), time);
            }
            for (var each : upsamplers) {
                x = each.apply(x, time);
            }
            return scope.keep(x);
        }
    }

    private Tensor layer(int i, Tensor x, Tensor skip, Tensor time) {
        try (var scope = TensorScope.open()) {
            x = resnets.get(i).forward(Ops.cat(1, x, skip), time);
            return scope.keep(attentions.isEmpty() ? x : attentions.get(i).forward(x));
        }
    }
}
