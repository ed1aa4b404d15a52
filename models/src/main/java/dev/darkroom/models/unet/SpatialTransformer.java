package dev.darkroom.models.unet;

import dev.darkroom.models.layers.BlockRun;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import java.util.List;
import java.util.function.UnaryOperator;

/** A transformer over the positions of features, which attend to the text; added to its input. */
final class SpatialTransformer extends Module {
    private static final double EPS = 1e-6;

    private final GroupNorm norm;
    private final Projection projIn;
    private final List<TransformerBlock> transformerBlocks;
    private final Projection projOut;

    /**
     * Declares the transformer of a level.
     *
     * @param level counted from the latents' resolution down
     * @param depth its blocks
     * @param onlyCross whether both attentions are to the text
     */
    SpatialTransformer(Weights w, int level, int depth, boolean onlyCross, UnetConfig config) {
        super(w);
        int channels = config.blockOutChannels().get(level);
        int heads = config.attentionHeads().get(level);
        norm = new GroupNorm(w.sub("norm"), config.normNumGroups(), channels, EPS);
        projIn = new Projection(w.sub("proj_in"), channels, config.useLinearProjection());
        transformerBlocks =
                w.list(
                        "transformer_blocks",
                        depth,
                        each ->
                                new TransformerBlock(
                                        each,
                                        channels,
                                        heads,
                                        config.crossAttentionDim(),
                                        onlyCross));
        projOut = new Projection(w.sub("proj_out"), channels, config.useLinearProjection());
    }

    /**
     * Transforms features.
     *
     * @param x {@code [N,C,H,W]}
     * @return {@code [N,C,H,W]}
     */
    Tensor forward(Tensor x, AttendedText text, BlockRun run) {
        try (var scope = TensorScope.open()) {
            Tensor tokens = norm.forward(x).flatten(2, 3).transpose(1, 2); // [N,T,C]
            tokens = projIn.forward(tokens);
            for (TransformerBlock block : transformerBlocks) {
                tokens = block.forward(tokens, text, x.size(2), x.size(3), run);
            }
            tokens = projOut.forward(tokens);
            Tensor features = tokens.transpose(1, 2).reshape(x.shape().toArray());
            return scope.keep(x.plus(features)); // [N,C,H,W]
        }
    }

    /** A linear layer on each position, which old checkpoints have as a 1×1 convolution. */
    private static final class Projection extends Module {
        private final UnaryOperator<Tensor> layer;

        Projection(Weights w, int channels, boolean isLinear) {
            super(w);
            if (isLinear) {
                layer = Linear.asInPyTorch(w, channels, channels, true)::forward;
            } else {
                var conv = new Conv2d(w, channels, channels, 1, 0);
                layer =
                        x ->
                                conv.forward(x.transpose(1, 2).unsqueeze(3))
                                        .squeeze(3)
                                        .transpose(1, 2);
            }
        }

        /** {@code [N,T,C]} to {@code [N,T,C]}. */
        Tensor forward(Tensor tokens) {
            return layer.apply(tokens);
        }
    }
}
