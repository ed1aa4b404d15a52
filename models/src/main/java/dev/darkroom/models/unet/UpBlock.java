package dev.darkroom.models.unet;

import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.models.layers.ResnetBlock;
import dev.darkroom.models.layers.Upsample;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.ArrayList;
import java.util.List;

/**
 * A block on the way up: each layer sees what a layer of the same resolution made on the way down.
 */
final class UpBlock extends Module {
    private final List<ResnetBlock> resnets;
    private final List<SpatialTransformer> attentions;
    private final List<Upsample> upsamplers;

    /** Declares block {@code i}, counted from the lowest resolution up. */
    UpBlock(Weights w, int i, UnetConfig config) {
        super(w);
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
        boolean onlyCross = config.onlyCrossAttention().get(level);
        attentions = new ArrayList<>();
        for (int j = 0; j < (config.upBlockAttention().get(i) ? layers : 0); j++) {
            int depth = config.upDepth(i, j);
            attentions.add(
                    new SpatialTransformer(
                            w.sub("attentions", j), level, depth, onlyCross, config));
        }
        upsamplers = w.list("upsamplers", level == 0 ? 0 : 1, each -> new Upsample(each, out));
    }

    /** Returns how many results of the way down the block takes. */
    int skips() {
        return resnets.size();
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,in,H,W]}
     * @param skips what the way down made, latest first, each {@code [N,C,H,W]}
     * @param time {@code [N,timeWidth]}
     * @param height of the result, which the way down had before it was halved
     * @param width of the result
     * @return {@code [N,out,height,width]}
     */
    Tensor forward(
            Tensor x,
            List<Tensor> skips,
            Tensor time,
            AttendedText text,
            long height,
            long width,
            BlockRun run) {
        try (var scope = TensorScope.open()) {
            for (int i = 0; i < resnets.size(); i++) {
                x = layer(i, x, skips.get(i), time, text, run);
            }
            for (Upsample each : upsamplers) {
                x = each.forward(x, height, width);
            }
            return scope.keep(x);
        }
    }

    private Tensor layer(
            int i, Tensor x, Tensor skip, Tensor time, AttendedText text, BlockRun run) {
        try (var scope = TensorScope.open()) {
            x = resnets.get(i).forward(Ops.cat(1, x, skip), time);
            return scope.keep(attentions.isEmpty() ? x : attentions.get(i).forward(x, text, run));
        }
    }
}
