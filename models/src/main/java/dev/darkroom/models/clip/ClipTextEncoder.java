package dev.darkroom.models.clip;

import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.NetworkPart;
import dev.darkroom.models.text.Encoded;
import dev.darkroom.models.text.TextEncoder;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Attention;
import dev.darkroom.runtime.nn.Embedding;
import dev.darkroom.runtime.nn.LayerNorm;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * The text encoder of CLIP (Radford et al. 2021, arXiv:2103.00020, section 2.4): a transformer in
 * which each token sees those before it. The state at the end of the text stands for all of it; it
 * may be projected to the space that texts and pictures share. In transformers these are {@code
 * CLIPTextModel} and {@code CLIPTextModelWithProjection}.
 */
public final class ClipTextEncoder extends TextEncoder {
    private static final Attention.Keys KEYS =
            new Attention.Keys("q_proj", "k_proj", "v_proj", "out_proj", "norm_q", "norm_k");

    /** A buffer of old versions, and what files of the whole of CLIP have besides. */
    private static final String[] LEFTOVERS = {
        "text_model.embeddings.position_ids",
        "vision_model.*",
        "visual_projection.weight",
        "logit_scale"
    };

    private final ClipConfig config;
    private final Embedding tokenEmbedding;
    private final Embedding positionEmbedding;
    private final List<Layer> layers;
    private final LayerNorm finalLayerNorm;
    private final @Nullable Linear textProjection;

    /** Declares the encoder, with a projection if the config has a width for it. */
    public ClipTextEncoder(Weights w, ClipConfig config) {
        super(w);
        this.config = config;
        w.ignore(LEFTOVERS);
        int width = config.hiddenSize();
        Weights model = w.sub("text_model");
        tokenEmbedding =
                new Embedding(model.sub("embeddings.token_embedding"), config.vocabSize(), width);
        positionEmbedding =
                new Embedding(
                        model.sub("embeddings.position_embedding"),
                        config.maxPositionEmbeddings(),
                        width);
        layers =
                model.list(
                        "encoder.layers",
                        config.numHiddenLayers(),
                        each -> new Layer(each, config));
        finalLayerNorm =
                new LayerNorm(model.sub("final_layer_norm"), width, config.layerNormEps(), true);
        if (config.projectionDim() == null) {
            w.ignore("text_projection.weight");
            textProjection = null;
        } else {
            textProjection =
                    new Linear(w.sub("text_projection"), width, config.projectionDim(), false);
        }
    }

    /** Returns the encoder without a projection as a part of checkpoints. */
    public static NetworkPart<ClipConfig, ClipTextEncoder> part(String name) {
        return new NetworkPart<>(
                name,
                Library.TRANSFORMERS,
                List.of("CLIPTextModel"),
                ClipConfig::of,
                ClipTextEncoder::new);
    }

    /** Returns the encoder that projects the pooled text as a part of checkpoints. */
    public static NetworkPart<ClipConfig, ClipTextEncoder> projectingPart(String name) {
        return new NetworkPart<>(
                name,
                Library.TRANSFORMERS,
                List.of("CLIPTextModelWithProjection"),
                ClipConfig::ofProjecting,
                ClipTextEncoder::new);
    }

    @Override
    public ClipConfig config() {
        return config;
    }

    @Override
    public int width() {
        return config.hiddenSize();
    }

    @Override
    public int vocabularySize() {
        return config.vocabSize();
    }

    /** Returns the table of token embeddings {@code [vocabSize,D]}. */
    @Override
    public Parameter tokenEmbeddings() {
        return tokenEmbedding.weight();
    }

    /**
     * Encodes texts as {@link #encode(Tensor, Tensor, ClipStates, LearnedTokens)} does, by the last
     * states.
     */
    @Override
    public Encoded encode(Tensor ids, @Nullable Tensor mask) {
        return encode(ids, mask, ClipStates.LAST);
    }

    /** Encodes texts as {@link #encode(Tensor, Tensor, ClipStates, LearnedTokens)} does. */
    public Encoded encode(Tensor ids, @Nullable Tensor mask, ClipStates which) {
        return encode(ids, mask, which, null);
    }

    /**
     * Encodes texts.
     *
     * @param ids int64 {@code [N,L]}, at most the config's {@code maxPositionEmbeddings} long
     * @param mask numbers {@code [N,L]}, 1 for a token and 0 for padding; null if all are tokens,
     *     as Stable Diffusion takes padding for
     * @param which of the states {@code [N,L,D]} are given back; the pooled text is always the last
     *     layer's after the final norm, projected if there is a projection {@code [N,P]}
     * @param learned tokens that are not in the encoder's table; null for none
     * @throws IllegalArgumentException if a shape is another, or there are not so many layers to
     *     leave out
     */
    public Encoded encode(
            Tensor ids, @Nullable Tensor mask, ClipStates which, @Nullable LearnedTokens learned) {
        requireText(ids, mask);
        int last = layers.size() - which.skipped();
        if (last < 0) {
            throw new IllegalArgumentException(
                    "CLIP: " + which.skipped() + " layers can't be left out of " + layers.size());
        }
        try (var scope = TensorScope.open()) {
            Tensor positions = positionEmbedding.weight().value().narrow(0, 0, ids.size(1));
            Tensor x = embedded(ids, learned).plus(positions); // [N,L,D]
            Tensor bias = segments().boundary(bias(mask, x)); // [N,1,L,L] or [L,L]
            Tensor states = x;
            for (int i = 0; i < layers.size(); i++) {
                x = segments().run(layers.get(i)::forward, x, bias);
                if (i + 1 == last) {
                    x = segments().boundary(x);
                    states = x;
                }
            }
            Tensor normed = finalLayerNorm.forward(x);
            Tensor pooled = atTheEnd(normed, ids); // [N,D]
            if (textProjection != null) {
                pooled = textProjection.forward(pooled); // [N,P]
            }
            if (which.normed()) {
                states = last == layers.size() ? normed : finalLayerNorm.forward(states);
            }
            return new Encoded(scope.keep(states), mask, scope.keep(pooled));
        }
    }

    /** Returns the embeddings of tokens {@code [N,L,D]}. */
    private Tensor embedded(Tensor ids, @Nullable LearnedTokens learned) {
        if (learned == null) {
            return tokenEmbedding.forward(ids);
        }
        Tensor isLearned = learned.among(ids);
        Tensor known = tokenEmbedding.forward(ids.maskedFill(isLearned, 0));
        return isLearned
                .unsqueeze(-1)
                .where(learned.embedded(ids, known.dtype(), known.device()), known);
    }

    private void requireText(Tensor ids, @Nullable Tensor mask) {
        if (ids.rank() != 2 || (mask != null && !mask.shape().equals(ids.shape()))) {
            throw new IllegalArgumentException(
                    "CLIP: ids "
                            + ids.shape()
                            + " must be [N,L], and the mask"
                            + (mask == null ? "" : " " + mask.shape())
                            + " of the same shape");
        }
        if (ids.size(1) > config.maxPositionEmbeddings()) {
            throw new IllegalArgumentException(
                    "CLIP: a text has at most "
                            + config.maxPositionEmbeddings()
                            + " tokens, not "
                            + ids.size(1));
        }
    }

    /** Returns −∞ where a token may not look: after itself, and where there is padding. */
    private static Tensor bias(@Nullable Tensor mask, Tensor like) {
        long length = like.size(1);
        Tensor causal =
                Tensor.full(
                                Shape.of(length, length),
                                Double.NEGATIVE_INFINITY,
                                like.dtype(),
                                like.device())
                        .upperTriangle(1);
        if (mask == null) {
            return causal;
        }
        Tensor padding = mask.eq(0).unsqueeze(1).unsqueeze(1); // [N,1,1,L]
        return causal.maskedFill(padding, Double.NEGATIVE_INFINITY);
    }

    /** Returns the state at the token that ends each text: {@code [N,D]}. */
    private Tensor atTheEnd(Tensor states, Tensor ids) {
        Tensor end =
                config.eosTokenId() == ClipConfig.OLD_EOS
                        ? ids.argmax(1)
                        : ids.eq(config.eosTokenId()).to(ids.dtype()).argmax(1); // the first
        Tensor index = end.reshape(-1, 1, 1).expand(-1, 1, states.size(2));
        return states.gather(1, index).squeeze(1);
    }

    /** A layer: attention to the tokens before, and a feed-forward network. */
    private static final class Layer extends Module {
        private final LayerNorm layerNorm1;
        private final Attention selfAttn;
        private final LayerNorm layerNorm2;
        private final Linear fc1;
        private final Linear fc2;
        private final Activation activation;

        Layer(Weights w, ClipConfig config) {
            super(w);
            int width = config.hiddenSize();
            double eps = config.layerNormEps();
            layerNorm1 = new LayerNorm(w.sub("layer_norm1"), width, eps, true);
            selfAttn =
                    new Attention(
                            w.sub("self_attn"),
                            Attention.Sizes.self(width, config.numAttentionHeads(), true),
                            KEYS);
            layerNorm2 = new LayerNorm(w.sub("layer_norm2"), width, eps, true);
            fc1 = Linear.asInPyTorch(w.sub("mlp.fc1"), width, config.intermediateSize(), true);
            fc2 = Linear.asInPyTorch(w.sub("mlp.fc2"), config.intermediateSize(), width, true);
            activation = config.activation();
        }

        /**
         * Transforms the tokens.
         *
         * @param x tokens {@code [N,L,D]}
         * @param bias added to the scores, broadcasts to {@code [N,heads,L,L]}
         * @return {@code [N,L,D]}
         */
        Tensor forward(Tensor x, Tensor bias) {
            try (var scope = TensorScope.open()) {
                Tensor normed = layerNorm1.forward(x);
                x = x.plus(selfAttn.forward(normed, normed, bias));
                Tensor inner = activation.apply(fc1.forward(layerNorm2.forward(x)));
                return scope.keep(x.plus(fc2.forward(inner))); // [N,L,D]
            }
        }
    }
}
