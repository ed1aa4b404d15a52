package dev.darkroom.models.vae;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Weights;

/**
 * The block at the lowest resolution: two residual blocks, in most configs with attention between.
 */
final class MidBlock extends Level {
    MidBlock(Weights w, AutoencoderKlConfig config) {
        super(
                w,
                config.blockOutChannels().getLast(),
                config.blockOutChannels().getLast(),
                2,
                config.midBlockAttention() ? 1 : 0,
                config);
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,C,H,W]}
     * @return {@code [N,C,H,W]}
     */
    Tensor forward(Tensor x) {
        try (var chain = new Chain(x)) {
            runLayers(chain);
            return chain.result();
        }
    }
}
