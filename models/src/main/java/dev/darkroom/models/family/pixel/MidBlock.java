package dev.darkroom.models.family.pixel;

import dev.darkroom.models.layers.AttentionBlock;
import dev.darkroom.models.layers.ResnetBlock;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.List;

/**
 * The block at the lowest resolution: two residual blocks, in most configs with attention between.
 */
final class MidBlock extends Module {
    private final List<ResnetBlock> resnets;
    private final List<AttentionBlock> attentions;

    MidBlock(Weights w, PixelUnetConfig config) {
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
                        config.midAttention() ? 1 : 0,
                        each -> config.attention(each, channels, config.midNormGroups()));
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,C,H,W]}
     * @param time {@code [N,timeWidth]}
     * @return {@code [N,C,H,W]}
     */
    Tensor forward(Tensor x, Tensor time) {
        try (var scope = TensorScope.open()) {
            x = resnets.get(0).forward(x, time);
            for (AttentionBlock each : attentions) {
                x = each.forward(x);
            }
            return scope.keep(resnets.get(1).forward(x, time));
        }
    }
}
