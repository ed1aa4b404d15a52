package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.Locale;

/**
 * Multi-head attention (Vaswani et al. 2017, "Attention Is All You Need") with diffusers' keys:
 * {@code to_q}, {@code to_k}, {@code to_v}, {@code to_out.0}.
 */
public final class Attention extends Module {
    private final Linear toQ;
    private final Linear toK;
    private final Linear toV;
    private final Linear toOut;
    private final int heads;

    /**
     * Sizes of an attention layer.
     *
     * @param width of the tokens that look
     * @param contextWidth of the tokens that are looked at; the same in self-attention
     * @param heads how many
     * @param headWidth of each
     * @param bias whether queries, keys and values have a bias
     */
    public record Sizes(long width, long contextWidth, int heads, long headWidth, boolean bias) {
        public Sizes {
            if (width < 1 || contextWidth < 1 || heads < 1 || headWidth < 1) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "attention needs sizes of at least 1, not width %d over %d, %d"
                                        + " heads of %d",
                                width,
                                contextWidth,
                                heads,
                                headWidth));
            }
        }

        /** Self-attention whose heads share the width equally. */
        public static Sizes self(long width, int heads, boolean bias) {
            return new Sizes(width, width, heads, width / heads, bias);
        }
    }

    /** An attention layer; its output has a bias in any case. */
    public Attention(Weights w, Sizes sizes) {
        super(w);
        heads = sizes.heads();
        long inner = sizes.heads() * sizes.headWidth();
        toQ = Linear.asInPyTorch(w.sub("to_q"), sizes.width(), inner, sizes.bias());
        toK = Linear.asInPyTorch(w.sub("to_k"), sizes.contextWidth(), inner, sizes.bias());
        toV = Linear.asInPyTorch(w.sub("to_v"), sizes.contextWidth(), inner, sizes.bias());
        toOut = Linear.asInPyTorch(w.sub("to_out.0"), inner, sizes.width(), true);
    }

    /**
     * Self-attention.
     *
     * @param x {@code [N,T,D]}
     * @return {@code [N,T,D]}
     */
    public Tensor forward(Tensor x) {
        return forward(x, x, null);
    }

    /**
     * Attention of x over a context.
     *
     * @param x {@code [N,T,D]}
     * @param context {@code [N,L,D']}
     * @param mask as in {@link #multiHead}, or null
     * @return {@code [N,T,D]}
     */
    public Tensor forward(Tensor x, Tensor context, @Nullable Tensor mask) {
        try (var scope = TensorScope.open()) {
            return scope.keep(forward(x, keyValue(context), mask));
        }
    }

    /**
     * A context as this layer sees it.
     *
     * @param key {@code [N,L,heads·d]}
     * @param value {@code [N,L,heads·d]}
     */
    public record KeyValue(Tensor key, Tensor value) {}

    /**
     * Projects a context that {@link #forward(Tensor, KeyValue, Tensor)} is to use several times,
     * such as a text at every step.
     *
     * @param context {@code [N,L,D']}
     */
    public KeyValue keyValue(Tensor context) {
        return new KeyValue(toK.forward(context), toV.forward(context));
    }

    /**
     * Attention of x over a context that is projected already.
     *
     * @param x {@code [N,T,D]}
     * @param mask as in {@link #multiHead}, or null
     * @return {@code [N,T,D]}
     */
    public Tensor forward(Tensor x, KeyValue context, @Nullable Tensor mask) {
        try (var scope = TensorScope.open()) {
            var q = toQ.forward(x);
            var found = multiHead(q, context.key(), context.value(), heads, mask, null);
            return scope.keep(toOut.forward(found));
        }
    }

    /**
     * Attention without projections: the width is split into heads, each attends, and they are put
     * together again.
     *
     * @param q {@code [N,T,heads·d]}
     * @param k {@code [N,L,heads·d]}
     * @param v {@code [N,L,heads·d]}
     * @param mask broadcasts to {@code [N,heads,T,L]}: bool, true where q may look, or numbers that
     *     are added to the scores; or null
     * @param scale of the scores; null for 1/√d
     * @return {@code [N,T,heads·d]}
     */
    public static Tensor multiHead(
            Tensor q,
            Tensor k,
            Tensor v,
            int heads,
            @Nullable Tensor mask,
            @Nullable Double scale) {
        try (var scope = TensorScope.open()) {
            q = split(q, heads);
            k = split(k, heads);
            v = split(v, heads);
            Tensor out = Ops.attention(q, k, v, mask, scale);
            return scope.keep(out.transpose(1, 2).flatten(2, 3)); // [N,T,heads·d]
        }
    }

    /** {@code [N,T,heads·d]} as {@code [N,heads,T,d]}. */
    private static Tensor split(Tensor x, int heads) {
        if (x.rank() != 3 || x.size(2) % heads != 0) {
            throw new IllegalArgumentException(
                    "attention: shape " + x.shape() + " does not divide into " + heads + " heads");
        }
        return x.reshape(x.size(0), x.size(1), heads, x.size(2) / heads).transpose(1, 2);
    }
}
