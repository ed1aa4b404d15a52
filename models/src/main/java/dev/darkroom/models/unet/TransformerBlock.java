package dev.darkroom.models.unet;

import dev.darkroom.models.layers.AttentionKeys;
import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.LayerNorm;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.List;

/**
 * A block of a transformer: attention of positions to each other, to the text, and a gated layer.
 */
final class TransformerBlock extends Module {
    private static final double EPS = 1e-5;

    private final String path;
    private final boolean onlyCross;
    private final LayerNorm norm1;
    private final Attention attn1;
    private final LayerNorm norm2;
    private final Attention attn2;
    private final LayerNorm norm3;
    private final GatedFeedForward ff;

    /**
     * Declares a block.
     *
     * @param onlyCross whether the first attention is to the text as well
     */
    TransformerBlock(Weights w, int channels, int heads, int textWidth, boolean onlyCross) {
        super(w);
        this.onlyCross = onlyCross;
        path = w.path();
        var self = Attention.Sizes.self(channels, heads, false);
        var cross = new Attention.Sizes(channels, textWidth, heads, channels / heads, false);
        norm1 = new LayerNorm(w.sub("norm1"), channels, EPS, true);
        attn1 = new Attention(w.sub("attn1"), onlyCross ? cross : self, AttentionKeys.DIFFUSERS);
        norm2 = new LayerNorm(w.sub("norm2"), channels, EPS, true);
        attn2 = new Attention(w.sub("attn2"), cross, AttentionKeys.DIFFUSERS);
        norm3 = new LayerNorm(w.sub("norm3"), channels, EPS, true);
        ff = new GatedFeedForward(w.sub("ff"), channels);
    }

    /** Returns the attentions to the text. */
    List<Attention> textAttentions() {
        return onlyCross ? List.of(attn1, attn2) : List.of(attn2);
    }

    /**
     * Transforms the positions.
     *
     * @param x {@code [N,T,C]}
     * @param height of the positions; with {@code width} T of them
     * @return {@code [N,T,C]}
     */
    Tensor forward(Tensor x, AttendedText text, long height, long width, BlockRun run) {
        if (run.skips(path)) {
            return x;
        }
        try (var scope = TensorScope.open()) {
            Tensor normed = norm1.forward(x);
            x =
                    x.plus(
                            onlyCross
                                    ? text.attend(attn1, normed)
                                    : run.attend(path, attn1, normed, height, width));
            x = x.plus(text.attend(attn2, norm2.forward(x)));
            return scope.keep(x.plus(ff.forward(norm3.forward(x)))); // [N,T,C]
        }
    }

    /** GEGLU (Shazeer 2020, arXiv:2002.05202): one half of a layer is the other's gate. */
    private static final class GatedFeedForward extends Module {
        private final Linear in;
        private final Linear out;

        GatedFeedForward(Weights w, int width) {
            super(w);
            in = Linear.asInPyTorch(w.sub("net.0.proj"), width, 8L * width, true);
            out = Linear.asInPyTorch(w.sub("net.2"), 4L * width, width, true);
        }

        /** {@code [N,T,C]} to {@code [N,T,C]}. */
        Tensor forward(Tensor x) {
            try (var scope = TensorScope.open()) {
                return scope.keep(out.forward(gated(x)));
            }
        }

        private Tensor gated(Tensor x) {
            try (var scope = TensorScope.open()) {
                List<Tensor> halves = in.forward(x).chunk(2, 2); // two [N,T,4·C]
                return scope.keep(halves.get(1).gelu().timesInPlace(halves.get(0)));
            }
        }
    }
}
