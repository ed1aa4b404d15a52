package dev.darkroom.models.layers;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

/** The feed-forward network of a block: two linear layers, four times as wide in between. */
public final class FeedForward extends Module {
    private final Linear in;
    private final Linear out;
    private final Activation activation;

    /**
     * Declares the layers.
     *
     * @param width of the tokens
     */
    public FeedForward(Weights w, long width, Activation activation) {
        super(w);
        this.activation = activation;
        in = Linear.asInPyTorch(w.sub("net.0.proj"), width, 4 * width, true);
        out = Linear.asInPyTorch(w.sub("net.2"), 4 * width, width, true);
    }

    /**
     * Transforms each token.
     *
     * @param x {@code [N,T,D]}
     * @return {@code [N,T,D]}
     */
    public Tensor forward(Tensor x) {
        return out.forward(activation.apply(in.forward(x)));
    }
}
