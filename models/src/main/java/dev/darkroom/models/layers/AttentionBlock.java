package dev.darkroom.models.layers;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

/** A block of self-attention over all positions, after a norm, and added to its input. */
public final class AttentionBlock extends Module {
    private final @Nullable GroupNorm groupNorm;
    private final Attention attention;

    /**
     * Declares a block.
     *
     * @param heads which share the channels equally
     * @param groups of the norm; null for a block without one
     * @param eps added to the variance in the norm
     */
    public AttentionBlock(
            Weights w, int channels, int heads, @Nullable Integer groups, double eps) {
        super(w);
        groupNorm =
                groups == null ? null : new GroupNorm(w.sub("group_norm"), groups, channels, eps);
        attention =
                new Attention(
                        w, Attention.Sizes.self(channels, heads, true), AttentionKeys.DIFFUSERS);
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,C,H,W]}
     * @return {@code [N,C,H,W]}
     */
    public Tensor forward(Tensor x) {
        try (var scope = TensorScope.open()) {
            Tensor normed = groupNorm == null ? x : groupNorm.forward(x);
            Tensor tokens = normed.flatten(2, 3).transpose(1, 2); // [N,T,C]
            Tensor out = attention.forward(tokens).transpose(1, 2); // [N,C,T]
            return scope.keep(out.reshape(x.shape().toArray()).plus(x));
        }
    }
}
