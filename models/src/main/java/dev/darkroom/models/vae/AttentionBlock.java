package dev.darkroom.models.vae;

import dev.darkroom.models.layers.AttentionKeys;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

/** A block of self-attention: one head over all positions, after a norm, and added to its input. */
final class AttentionBlock extends Module {
    private final GroupNorm groupNorm;
    private final Attention attention;

    AttentionBlock(Weights w, int channels, AutoencoderKlConfig config) {
        super(w);
        groupNorm =
                new GroupNorm(
                        w.sub("group_norm"), config.normGroups(), channels, AutoencoderKl.EPS);
        attention =
                new Attention(w, Attention.Sizes.self(channels, 1, true), AttentionKeys.DIFFUSERS);
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,C,H,W]}
     * @return {@code [N,C,H,W]}
     */
    Tensor forward(Tensor x) {
        try (var scope = TensorScope.open()) {
            var tokens = groupNorm.forward(x).flatten(2, 3).transpose(1, 2); // [N,T,C]
            var out = attention.forward(tokens).transpose(1, 2); // [N,C,T]
            return scope.keep(out.reshape(x.shape().toArray()).plus(x));
        }
    }
}
