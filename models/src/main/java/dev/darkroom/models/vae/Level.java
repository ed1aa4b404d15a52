package dev.darkroom.models.vae;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * One resolution of the encoder or the decoder: residual blocks, in some configs with attention
 * after each, then a change of resolution unless it is the last level.
 */
final class Level extends Module {
    private final List<UnaryOperator<Tensor>> layers = new ArrayList<>();

    private Level(
            Weights w, int in, int out, int blocks, boolean attention, AutoencoderKlConfig config) {
        super(w);
        for (int i = 0; i < blocks; i++) {
            var resnet = w.sub("resnets", i);
            layers.add(new ResnetBlock(resnet, i == 0 ? in : out, out, config)::forward);
            if (attention) {
                layers.add(new AttentionBlock(w.sub("attentions", i), out, config)::forward);
            }
        }
    }

    /** The encoder's level {@code i}, from pixels to latents. */
    static Level down(Weights w, int i, AutoencoderKlConfig config) {
        var channels = config.blockOutChannels();
        int in = channels.get(Math.max(i - 1, 0));
        int out = channels.get(i);
        var level =
                new Level(w, in, out, config.layersPerBlock(), config.downBlockAttention().get(i), config);
        if (i < channels.size() - 1) {
            var conv = new Conv2d(w.sub("downsamplers.0.conv"), out, out, 3, 2, 0, true);
            level.layers.add(x -> halve(x, conv));
        }
        return level;
    }

    /** The decoder's level {@code i}, from latents to pixels. */
    static Level up(Weights w, int i, AutoencoderKlConfig config) {
        var channels = config.blockOutChannels().reversed();
        int in = channels.get(Math.max(i - 1, 0));
        int out = channels.get(i);
        int blocks = config.layersPerBlock() + 1;
        var level = new Level(w, in, out, blocks, config.upBlockAttention().get(i), config);
        if (i < channels.size() - 1) {
            var conv = new Conv2d(w.sub("upsamplers.0.conv"), out, out, 3, 1);
            level.layers.add(x -> twice(x, conv));
        }
        return level;
    }

    /**
     * Applies the level.
     *
     * @param x {@code [N,in,H,W]}
     * @return {@code [N,out,H',W']}
     */
    Tensor forward(Tensor x) {
        return Chain.run(x, layers);
    }

    /**
     * {@code [N,C,H,W]} to {@code [N,C,H/2,W/2]}; zeros are added at the right and the bottom only.
     */
    private static Tensor halve(Tensor x, Conv2d conv) {
        try (var scope = TensorScope.open()) {
            return scope.keep(conv.forward(Ops.pad(x, 0, 0, 1, 0, 1)));
        }
    }

    /** {@code [N,C,H,W]} to {@code [N,C,2H,2W]}. */
    private static Tensor twice(Tensor x, Conv2d conv) {
        try (var scope = TensorScope.open()) {
            return scope.keep(conv.forward(Ops.resizeNearest(x, 2 * x.size(2), 2 * x.size(3))));
        }
    }
}
