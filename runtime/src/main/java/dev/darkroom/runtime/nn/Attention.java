package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.UnaryOperator;

/**
 * Multi-head attention (Vaswani et al. 2017, "Attention Is All You Need"): self-attention,
 * attention to a context, and, from its parts, joint attention of several streams of tokens.
 *
 * <p>In joint attention (Esser et al. 2024, arXiv:2403.03206, section 4) each stream has
 * projections of its own, and all tokens attend to all:
 *
 * <pre>{@code
 * List<Tensor> attended = Attention.joint(imageAttn.project(image), textAttn.project(text));
 * image = image.plus(imageAttn.output(attended.get(0)));
 * text = text.plus(textAttn.output(attended.get(1)));
 * }</pre>
 */
public final class Attention extends Module {
    private final Linear toQ;
    private final Linear toK;
    private final Linear toV;
    private final @Nullable Linear toOut;
    private final @Nullable UnaryOperator<Tensor> normQ;
    private final @Nullable UnaryOperator<Tensor> normK;
    private final int heads;

    /**
     * The sizes of an attention layer.
     *
     * @param width of the tokens that attend
     * @param contextWidth of the tokens that are attended to; the same in self-attention
     * @param heads the number of heads
     * @param headWidth the width of each head
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

        /** Returns the sizes of self-attention whose heads share the width equally. */
        public static Sizes self(long width, int heads, boolean bias) {
            return new Sizes(width, width, heads, width / heads, bias);
        }
    }

    /**
     * The names that the parts of an attention layer have in a checkpoint.
     *
     * @param q the projection to queries
     * @param k the projection to keys
     * @param v the projection to values
     * @param out the projection of the result; null if the layer has none
     * @param normQ the norm of the queries, where there is one
     * @param normK the norm of the keys, where there is one
     */
    public record Keys(
            String q, String k, String v, @Nullable String out, String normQ, String normK) {
        public Keys {
            Objects.requireNonNull(q, "q");
            Objects.requireNonNull(k, "k");
            Objects.requireNonNull(v, "v");
            Objects.requireNonNull(normQ, "normQ");
            Objects.requireNonNull(normK, "normK");
        }

        /** Returns the names of a layer whose result is not projected. */
        public Keys withoutOutput() {
            return new Keys(q, k, v, null, normQ, normK);
        }
    }

    /**
     * A norm of the queries or the keys of each head (Dehghani et al. 2023, arXiv:2302.05442,
     * section 2), such as {@code (w, width) -> new RmsNorm(w, width, 1e-6)::forward}.
     */
    @FunctionalInterface
    public interface HeadNorm {
        /**
         * Declares the norm.
         *
         * @param headWidth the width of a head
         * @return a function of {@code [N,T,heads,d]} that keeps the shape
         */
        UnaryOperator<Tensor> declare(Weights w, long headWidth);
    }

    /** Declares an attention layer; the projection of its result has a bias in any case. */
    public Attention(Weights w, Sizes sizes, Keys keys) {
        this(w, sizes, keys, null);
    }

    /**
     * Declares an attention layer that normalises queries and keys.
     *
     * @param norm declares the norms; null for none
     */
    public Attention(Weights w, Sizes sizes, Keys keys, @Nullable HeadNorm norm) {
        super(w);
        heads = sizes.heads();
        long inner = sizes.heads() * sizes.headWidth();
        toQ = Linear.asInPyTorch(w.sub(keys.q()), sizes.width(), inner, sizes.bias());
        toK = Linear.asInPyTorch(w.sub(keys.k()), sizes.contextWidth(), inner, sizes.bias());
        toV = Linear.asInPyTorch(w.sub(keys.v()), sizes.contextWidth(), inner, sizes.bias());
        toOut =
                keys.out() == null
                        ? null
                        : Linear.asInPyTorch(w.sub(keys.out()), inner, sizes.width(), true);
        normQ = norm == null ? null : norm.declare(w.sub(keys.normQ()), sizes.headWidth());
        normK = norm == null ? null : norm.declare(w.sub(keys.normK()), sizes.headWidth());
    }

    // ---- Attention to a context ----

    /**
     * Computes self-attention.
     *
     * @param x {@code [N,T,D]}
     * @return as {@link #output}
     */
    public Tensor forward(Tensor x) {
        return forward(x, x, null);
    }

    /**
     * Computes the attention of x to a context.
     *
     * @param x {@code [N,T,D]}
     * @param context {@code [N,L,D']}
     * @param mask as {@link #multiHead} takes it, or null
     * @return as {@link #output}
     */
    public Tensor forward(Tensor x, Tensor context, @Nullable Tensor mask) {
        try (var scope = TensorScope.open()) {
            return scope.keep(forward(x, keyValue(context), mask));
        }
    }

    /**
     * The keys and values of a context.
     *
     * @param key {@code [N,L,heads·d]}
     * @param value {@code [N,L,heads·d]}
     */
    public record KeyValue(Tensor key, Tensor value) {
        public KeyValue {
            Objects.requireNonNull(key, "key");
            Objects.requireNonNull(value, "value");
        }
    }

    /**
     * Projects a context to keys and values, which {@link #forward(Tensor, KeyValue, Tensor)} can
     * use several times, such as those of a text at every step.
     *
     * @param context {@code [N,L,D']}
     */
    public KeyValue keyValue(Tensor context) {
        return new KeyValue(normalised(normK, toK.forward(context)), toV.forward(context));
    }

    /**
     * Computes the attention of x to a context that is projected already.
     *
     * @param x {@code [N,T,D]}
     * @param mask as {@link #multiHead} takes it, or null
     * @return as {@link #output}
     */
    public Tensor forward(Tensor x, KeyValue context, @Nullable Tensor mask) {
        try (var scope = TensorScope.open()) {
            var q = normalised(normQ, toQ.forward(x));
            var attended = multiHead(q, context.key(), context.value(), heads, mask, null);
            return scope.keep(output(attended));
        }
    }

    /**
     * Computes self-attention with changed queries.
     *
     * @param x {@code [N,T,D]}
     * @param queries a function of {@code [N,T,heads·d]} that keeps the shape
     * @return as {@link #output}
     */
    public Tensor forward(Tensor x, UnaryOperator<Tensor> queries) {
        try (var scope = TensorScope.open()) {
            var q = queries.apply(normalised(normQ, toQ.forward(x)));
            var own = keyValue(x);
            return scope.keep(output(multiHead(q, own.key(), own.value(), heads, null, null)));
        }
    }

    private Tensor normalised(@Nullable UnaryOperator<Tensor> norm, Tensor x) {
        return norm == null ? x : norm.apply(perHead(x, heads)).flatten(2, 3);
    }

    // ---- Joint attention ----

    /**
     * The queries, keys and values of a stream of tokens.
     *
     * @param query {@code [N,T,heads,d]}
     * @param key {@code [N,T,heads,d]}
     * @param value {@code [N,T,heads,d]}
     */
    public record QueryKeyValue(Tensor query, Tensor key, Tensor value) {
        public QueryKeyValue {
            if (query.rank() != 4
                    || !key.shape().equals(query.shape())
                    || !value.shape().equals(query.shape())) {
                throw new IllegalArgumentException(
                        "attention: queries "
                                + query.shape()
                                + ", keys "
                                + key.shape()
                                + " and values "
                                + value.shape()
                                + " of a stream must all be [N,T,heads,d]");
            }
        }
    }

    /**
     * Projects the tokens of a stream to queries, keys and values.
     *
     * @param x {@code [N,T,D]}
     */
    public QueryKeyValue project(Tensor x) {
        return project(x, UnaryOperator.identity());
    }

    /**
     * Projects the tokens of a stream to queries, keys and values.
     *
     * @param x {@code [N,T,D]}
     * @param positions encodes the positions of the tokens in queries and keys {@code
     *     [N,T,heads,d]}, after their norms, such as rotary embeddings do (Su et al. 2021,
     *     arXiv:2104.09864)
     */
    public QueryKeyValue project(Tensor x, UnaryOperator<Tensor> positions) {
        try (var scope = TensorScope.open()) {
            Tensor q = perHead(normalised(normQ, toQ.forward(x)), heads);
            Tensor k = perHead(normalised(normK, toK.forward(x)), heads);
            Tensor v = perHead(toV.forward(x), heads);
            return new QueryKeyValue(
                    scope.keep(positions.apply(q)), scope.keep(positions.apply(k)), scope.keep(v));
        }
    }

    /**
     * Computes joint attention: the streams are concatenated along their tokens in the order in
     * which they are given, attend to each other, and are split again. One stream alone attends to
     * itself.
     *
     * @return {@code [N,T,heads·d]} of each stream, in the same order
     */
    public static List<Tensor> joint(QueryKeyValue... streams) {
        try (var scope = TensorScope.open()) {
            Tensor q = concatenated(streams, QueryKeyValue::query); // [N,heads,T,d]
            Tensor k = concatenated(streams, QueryKeyValue::key);
            Tensor v = concatenated(streams, QueryKeyValue::value);
            long[] tokens =
                    Arrays.stream(streams).mapToLong(each -> each.query().size(1)).toArray();
            List<Tensor> attended = joined(Ops.attention(q, k, v, null, null)).split(1, tokens);
            attended.forEach(scope::keep);
            return attended;
        }
    }

    private static Tensor concatenated(
            QueryKeyValue[] streams, Function<QueryKeyValue, Tensor> part) {
        return Ops.cat(1, Arrays.stream(streams).map(part).toList()).transpose(1, 2);
    }

    /**
     * Projects what a stream's tokens have attended to.
     *
     * @param attended {@code [N,T,heads·d]}
     * @return {@code [N,T,D]}; attended itself if the layer has no projection of its result
     */
    public Tensor output(Tensor attended) {
        return toOut == null ? attended : toOut.forward(attended);
    }

    // ---- Without projections ----

    /**
     * Computes attention without projections: the width is split into heads, each attends, and they
     * are concatenated again.
     *
     * @param q {@code [N,T,heads·d]}
     * @param k {@code [N,L,heads·d]}
     * @param v {@code [N,L,heads·d]}
     * @param mask broadcasts to {@code [N,heads,T,L]}: bool, true where q may attend, or numbers
     *     that are added to the scores; or null
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
            q = perHead(q, heads).transpose(1, 2); // [N,heads,T,d]
            k = perHead(k, heads).transpose(1, 2);
            v = perHead(v, heads).transpose(1, 2);
            return scope.keep(joined(Ops.attention(q, k, v, mask, scale)));
        }
    }

    /** Splits {@code [N,T,heads·d]} into {@code [N,T,heads,d]}. */
    private static Tensor perHead(Tensor x, int heads) {
        if (x.rank() != 3 || x.size(2) % heads != 0) {
            throw new IllegalArgumentException(
                    "attention: shape " + x.shape() + " does not divide into " + heads + " heads");
        }
        return x.reshape(x.size(0), x.size(1), heads, x.size(2) / heads);
    }

    /** Concatenates the heads of {@code [N,heads,T,d]} to {@code [N,T,heads·d]}. */
    private static Tensor joined(Tensor x) {
        return x.transpose(1, 2).flatten(2, 3);
    }
}
