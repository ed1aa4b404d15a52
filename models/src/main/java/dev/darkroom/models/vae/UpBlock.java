package dev.darkroom.models.vae;

import dev.darkroom.models.layers.Upsample;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Weights;

import java.util.List;

/** A block of the decoder; all but the last double the resolution at their end. */
final class UpBlock extends Level {
    private final List<Upsample> upsamplers;

    /** Declares block {@code i}, counted from the latents. */
    UpBlock(Weights w, int i, AutoencoderKlConfig config) {
        super(
                w,
                config.blockOutChannels().reversed().get(Math.max(i - 1, 0)),
                config.blockOutChannels().reversed().get(i),
                config.layersPerBlock() + 1,
                config.upBlockAttention().get(i) ? config.layersPerBlock() + 1 : 0,
                config);
        int out = config.blockOutChannels().reversed().get(i);
        boolean isLast = i == config.blockOutChannels().size() - 1;
        upsamplers = w.list("upsamplers", isLast ? 0 : 1, each -> new Upsample(each, out));
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,in,H,W]}
     * @return {@code [N,out,2H,2W]}, or {@code [N,out,H,W]} of the last block
     */
    Tensor forward(Tensor x) {
        try (var chain = new Chain(x)) {
            runLayers(chain);
            upsamplers.forEach(each -> chain.run(each::forward));
            return chain.result();
        }
    }
}
