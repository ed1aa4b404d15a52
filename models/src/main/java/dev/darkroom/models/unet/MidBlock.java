package dev.darkroom.models.unet;

import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.models.layers.ResnetBlock;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.List;

/** The block at the lowest resolution: attention between two residual blocks. */
final class MidBlock extends Module {
    private final List<ResnetBlock> resnets;
    private final List<SpatialTransformer> attentions;

    MidBlock(Weights w, UnetConfig config) {
        super(w);
        int channels = config.blockOutChannels().getLast();
        resnets =
                w.list(
                        "resnets",
                        2,
                        each -> new ResnetBlock(each, channels, channels, config.resnets()));
        attentions =
                w.list(
                        "attentions",
                        1,
                        each -> new SpatialTransformer(each, config.levels() - 1, false, config));
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,C,H,W]}
     * @param time {@code [N,timeWidth]}
     * @param text {@code [N,L,E]}
     * @return {@code [N,C,H,W]}
     */
    Tensor forward(Tensor x, Tensor time, Tensor text, BlockRun run) {
        try (var scope = TensorScope.open()) {
            x = resnets.get(0).forward(x, time);
            x = attentions.get(0).forward(x, text, run);
            return scope.keep(resnets.get(1).forward(x, time));
        }
    }
}
