package dev.darkroom.models.t5;

import static dev.darkroom.runtime.nn.Attention.multiHead;

import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.text.Encoded;
import dev.darkroom.models.text.TextEncoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Embedding;
import dev.darkroom.runtime.nn.Init;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.RmsNorm;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * The encoder half of T5 (Raffel et al. 2020): text ids become one vector for each token. Positions
 * enter as a bias on the attention scores, by distance; the first block holds the table for all.
 *
 * <p>In float16, activations of large T5s overflow. As transformers does, the second layer of each
 * feed-forward network then stays in float32, and so does everything that is added to after it. In
 * bfloat16 nothing overflows, and nothing is kept in float32.
 */
public final class T5Encoder extends TextEncoder {
    private final T5Config config;
    private final Embedding shared;
    private final List<Block> blocks;
    private final RelativePositions positions;
    private final RmsNorm finalLayerNorm;

    /**
     * Declares the encoder. The table of token embeddings may be {@code shared.weight}, {@code
     * encoder.embed_tokens.weight} or both, which are the same; a decoder is ignored.
     */
    public T5Encoder(Weights w, T5Config config) {
        super(w);
        this.config = config;
        String table = "shared";
        if (w.has("shared.weight")) {
            w.ignore("encoder.embed_tokens.weight");
        } else if (w.has("encoder.embed_tokens.weight")) {
            table = "encoder.embed_tokens";
        }
        w.ignore("decoder.*", "lm_head.weight");
        // T5 begins with embeddings of size 1, so that what the blocks add does not drown them.
        shared = new Embedding(w.sub(table), config.vocabSize(), config.dModel(), Init.normal(1));
        Weights encoder = w.sub("encoder");
        blocks = encoder.list("block", config.numLayers(), each -> new Block(each, config));
        positions =
                new RelativePositions(
                        encoder.sub("block.0.layer.0.SelfAttention.relative_attention_bias"),
                        config);
        finalLayerNorm =
                new RmsNorm(
                        encoder.sub("final_layer_norm"),
                        config.dModel(),
                        config.layerNormEpsilon());
    }

    /** Returns the encoder as a part of checkpoints, such as {@code text_encoder}. */
    public static NetworkPart<T5Config, T5Encoder> part(String name) {
        return new NetworkPart<>(
                name,
                Library.TRANSFORMERS,
                List.of("T5EncoderModel"),
                T5Config::of,
                T5Encoder::new);
    }

    /** Returns the table of token embeddings {@code [vocabSize,dModel]}. */
    @Override
    public Parameter tokenEmbeddings() {
        return shared.weight();
    }

    @Override
    public T5Config config() {
        return config;
    }

    @Override
    public int width() {
        return config.dModel();
    }

    @Override
    public int vocabularySize() {
        return config.vocabSize();
    }

    @Override
    public Encoded encode(Tensor ids, @Nullable Tensor mask) {
        return new Encoded(forward(ids, mask), mask, null);
    }

    /**
     * Encodes texts.
     *
     * @param ids int64 {@code [N,L]}
     * @param mask numbers {@code [N,L]}, 1 for a token and 0 for padding; null if all are tokens
     * @return {@code [N,L,D]}, in this network's type
     */
    public Tensor forward(Tensor ids, @Nullable Tensor mask) {
        if (ids.rank() != 2 || (mask != null && !mask.shape().equals(ids.shape()))) {
            throw new IllegalArgumentException(
                    "T5: ids "
                            + ids.shape()
                            + " must be [N,L], and the mask"
                            + (mask == null ? "" : " " + mask.shape())
                            + " of the same shape");
        }
        try (var scope = TensorScope.open()) {
            Tensor x = shared.forward(ids); // [N,L,D]
            Tensor bias = positions.forward(ids.size(1), ids.device()); // [1,heads,L,L]
            if (mask != null) {
                bias = bias.plus(padding(mask, x.dtype())); // [N,heads,L,L]
            }
            bias = segments().boundary(bias);
            for (Block block : blocks) {
                x = segments().run(block::forward, x, bias);
            }
            return scope.keep(finalLayerNorm.forward(x));
        }
    }

    /** Returns the most negative number where there is padding: {@code [N,1,1,L]}. */
    private static Tensor padding(Tensor mask, DType dtype) {
        return mask.to(dtype).subtractedFrom(1).times(-largest(dtype)).unsqueeze(1).unsqueeze(1);
    }

    private static double largest(DType dtype) {
        return switch (dtype) {
            case FLOAT16 -> 65_504;
            case BFLOAT16 -> 0x1.FEp127;
            default -> Float.MAX_VALUE;
        };
    }

    /** A block: attention and a feed-forward network, each added to the tokens. */
    private static final class Block extends Module {
        private final RmsNorm attentionNorm;
        private final SelfAttention attention;
        private final RmsNorm feedForwardNorm;
        private final FeedForward feedForward;

        Block(Weights w, T5Config config) {
            super(w);
            attentionNorm = norm(w.sub("layer.0.layer_norm"), config);
            attention = new SelfAttention(w.sub("layer.0.SelfAttention"), config);
            feedForwardNorm = norm(w.sub("layer.1.layer_norm"), config);
            feedForward = new FeedForward(w.sub("layer.1.DenseReluDense"), config);
        }

        private static RmsNorm norm(Weights w, T5Config config) {
            return new RmsNorm(w, config.dModel(), config.layerNormEpsilon());
        }

        Tensor forward(Tensor x, Tensor bias) {
            try (var scope = TensorScope.open()) {
                x = finite(x.plus(attention.forward(attentionNorm.forward(x), bias)));
                x = finite(x.plus(feedForward.forward(feedForwardNorm.forward(x))));
                return scope.keep(x); // [N,L,D]
            }
        }

        /** Brings infinities of float16 back to large numbers. */
        private static Tensor finite(Tensor x) {
            if (x.dtype() != DType.FLOAT16) {
                return x;
            }
            double largest = largest(DType.FLOAT16);
            Tensor overflown = x.abs().gt(largest).any();
            Tensor limit =
                    overflown.where(
                            Tensor.scalar(largest - 1000, x.dtype()).to(x.device()),
                            Tensor.scalar(largest, x.dtype()).to(x.device()));
            return x.minimum(limit).maximum(limit.negated());
        }
    }

    /** Attention whose scores are not scaled: T5's initialisation does that. */
    private static final class SelfAttention extends Module {
        private final int heads;
        private final Linear q;
        private final Linear k;
        private final Linear v;
        private final Linear o;

        SelfAttention(Weights w, T5Config config) {
            super(w);
            heads = config.numHeads();
            long inner = (long) heads * config.dKv();
            // Products of queries and keys are not divided by √dKv: the first weights are.
            q =
                    new Linear(
                            w.sub("q"),
                            config.dModel(),
                            inner,
                            false,
                            Init.fanIn((long) config.dModel() * config.dKv()));
            k = new Linear(w.sub("k"), config.dModel(), inner, false);
            v = new Linear(w.sub("v"), config.dModel(), inner, false);
            o = new Linear(w.sub("o"), inner, config.dModel(), false);
        }

        Tensor forward(Tensor x, Tensor bias) {
            return o.forward(multiHead(q.forward(x), k.forward(x), v.forward(x), heads, bias, 1.0));
        }
    }

    /** The feed-forward network: plain (T5 1.0), or with a gate (T5 1.1; Shazeer 2020). */
    private static final class FeedForward extends Module {
        private final Activation activation;
        private final Linear in;
        private final @Nullable Linear gate;
        private final Linear out;

        FeedForward(Weights w, T5Config config) {
            super(w);
            activation = config.activation();
            long width = config.dModel();
            in = new Linear(w.sub(config.gated() ? "wi_1" : "wi"), width, config.dFf(), false);
            gate = config.gated() ? new Linear(w.sub("wi_0"), width, config.dFf(), false) : null;
            out =
                    new Linear(
                            w.sub("wo").inFloat32InsteadOf(DType.FLOAT16),
                            config.dFf(),
                            width,
                            false);
        }

        Tensor forward(Tensor x) {
            Tensor inner = in.forward(x);
            inner =
                    gate == null
                            ? activation.apply(inner)
                            : activation.apply(gate.forward(x)).times(inner);
            return out.forward(inner.to(out.weight().dtype()));
        }
    }

    /** A bias for each head and distance, with finer steps for smaller distances. */
    private static final class RelativePositions extends Module {
        private final int buckets;
        private final int maxDistance;
        private final Embedding table;

        RelativePositions(Weights w, T5Config config) {
            super(w);
            buckets = config.relativeAttentionNumBuckets();
            maxDistance = config.relativeAttentionMaxDistance();
            table = new Embedding(w, buckets, config.numHeads(), Init.fanIn(config.dModel()));
        }

        /** Returns the bias of each key for each query: {@code [1,heads,length,length]}. */
        Tensor forward(long length, Device device) {
            try (var scope = TensorScope.open()) {
                Tensor bias = table.forward(buckets(length).to(device)); // [query,key,heads]
                return scope.keep(bias.permute(2, 0, 1).unsqueeze(0));
            }
        }

        /**
         * Returns the row of each distance: a quarter of the rows for single steps ahead, a quarter
         * for powers, and as many for behind.
         */
        private Tensor buckets(long length) {
            double half = Math.floorDiv(buckets, 2);
            double exact = Math.floor(half / 2);
            Tensor position = Tensor.arange(0, length, 1, DType.FLOAT32, Device.CPU);
            Tensor relative = position.unsqueeze(0).minus(position.unsqueeze(1)); // key − query
            Tensor distance = relative.abs();
            Tensor far =
                    distance.dividedBy(exact)
                            .log()
                            .dividedBy(Math.log(maxDistance / exact))
                            .times(half - exact)
                            .floor()
                            .plus(exact)
                            .clamp(0, half - 1);
            Tensor ahead = relative.gt(0).to(DType.FLOAT32).times(half);
            return distance.lt(exact).where(distance, far).plus(ahead).to(DType.INT64);
        }
    }
}
