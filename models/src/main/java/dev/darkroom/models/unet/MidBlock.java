package dev.darkroom.models.unet;

import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.models.layers.ResnetBlock;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.List;

/** The block at the lowest resolution: attention between two residual blocks, or less. */
final class MidBlock extends Module {
    private final List<ResnetBlock> resnets;
    private final List<SpatialTransformer> attentions;

    MidBlock(Weights w, UnetConfig config) {
        super(w);
        int channels = config.blockOutChannels().getLast();
        int level = config.levels() - 1;
        int depth = config.downDepth(level, 0);
        resnets =
                w.list(
                        "resnets",
                        switch (config.middle()) {
                            case ATTENTION -> 2;
                            case RESIDUAL -> 1;
                            case NOTHING -> 0;
                        },
                        each -> new ResnetBlock(each, channels, channels, config.resnets()));
        attentions =
                w.list(
                        "attentions",
                        config.middle() == UnetConfig.Middle.ATTENTION ? 1 : 0,
                        each -> new SpatialTransformer(each, level, depth, false, config));
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,C,H,W]}
     * @param time {@code [N,timeWidth]}
     * @return {@code [N,C,H,W]}
     */
    Tensor forward(Tensor x, Tensor time, AttendedText text, BlockRun run) {
        try (var scope = TensorScope.open()) {
            if (resnets.isEmpty()) {
                return scope.keep(x.copy());
            }
            x = resnets.getFirst().forward(x, time);
            for (SpatialTransformer attention : attentions) {
                x = attention.forward(x, text, run);
                x = resnets.getLast().forward(x, time);
            }
            return scope.keep(x);
        }
    }
}
