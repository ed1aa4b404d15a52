package dev.darkroom.models.vae;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.List;

/** A block of the encoder; all but the last halve the resolution at their end. */
final class DownBlock extends Level {
    private final List<Downsample> downsamplers;

    /** Declares block {@code i}, counted from the pixels. */
    DownBlock(Weights w, int i, AutoencoderKlConfig config) {
        super(
                w,
                config.blockOutChannels().get(Math.max(i - 1, 0)),
                config.blockOutChannels().get(i),
                config.layersPerBlock(),
                config.downBlockAttention().get(i) ? config.layersPerBlock() : 0,
                config);
        int out = config.blockOutChannels().get(i);
        boolean isLast = i == config.blockOutChannels().size() - 1;
        downsamplers = w.list("downsamplers", isLast ? 0 : 1, each -> new Downsample(each, out));
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,in,H,W]}
     * @return {@code [N,out,H/2,W/2]}, or {@code [N,out,H,W]} of the last block
     */
    Tensor forward(Tensor x) {
        try (var chain = new Chain(x)) {
            runLayers(chain);
            downsamplers.forEach(each -> chain.run(each::forward));
            return chain.result();
        }
    }

    /** A convolution with stride 2, padded with zeros at the right and the bottom only. */
    private static final class Downsample extends Module {
        private final Conv2d conv;

        Downsample(Weights w, int channels) {
            super(w);
            conv = new Conv2d(w.sub("conv"), channels, channels, 3, 2, 0, true);
        }

        /** {@code [N,C,H,W]} to {@code [N,C,H/2,W/2]}. */
        Tensor forward(Tensor x) {
            try (var scope = TensorScope.open()) {
                return scope.keep(conv.forward(Ops.pad(x, 0, 0, 1, 0, 1)));
            }
        }
    }
}
