package dev.darkroom.models.clip;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Activation;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;

/**
 * The config of a {@link ClipTextEncoder}; names and defaults are those of transformers' {@code
 * CLIPTextConfig}.
 *
 * @param vocabSize rows of the table of token embeddings
 * @param hiddenSize width of a token
 * @param intermediateSize width inside the feed-forward network
 * @param numHiddenLayers blocks
 * @param numAttentionHeads attention heads
 * @param maxPositionEmbeddings the longest text, in tokens
 * @param activation in the feed-forward network: OpenAI's is {@link Activation#QUICK_GELU},
 *     OpenCLIP's {@link Activation#GELU}
 * @param layerNormEps added to the variance in norms
 * @param eosTokenId the token that ends a text; {@value #OLD_EOS} in configs that were written
 *     before there was such an option, where the end is the greatest id
 * @param projectionDim width of the pooled text's projection; null for a network without one
 */
public record ClipConfig(
        int vocabSize,
        int hiddenSize,
        int intermediateSize,
        int numHiddenLayers,
        int numAttentionHeads,
        int maxPositionEmbeddings,
        Activation activation,
        double layerNormEps,
        int eosTokenId,
        @Nullable Integer projectionDim) {
    /** The {@link #eosTokenId} that says nothing. */
    public static final int OLD_EOS = 2;

    public ClipConfig {
        if (vocabSize < 1
                || hiddenSize < 1
                || intermediateSize < 1
                || numHiddenLayers < 1
                || numAttentionHeads < 1
                || maxPositionEmbeddings < 1
                || (projectionDim != null && projectionDim < 1)) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "CLIP needs sizes of at least 1, not vocab_size %d, hidden_size %d,"
                                    + " intermediate_size %d, num_hidden_layers %d,"
                                    + " num_attention_heads %d, max_position_embeddings %d,"
                                    + " projection_dim %s",
                            vocabSize,
                            hiddenSize,
                            intermediateSize,
                            numHiddenLayers,
                            numAttentionHeads,
                            maxPositionEmbeddings,
                            projectionDim));
        }
        if (hiddenSize % numAttentionHeads != 0) {
            throw new IllegalArgumentException(
                    "hidden_size "
                            + hiddenSize
                            + " does not divide into num_attention_heads "
                            + numAttentionHeads);
        }
        if (!(layerNormEps > 0)) {
            throw new IllegalArgumentException(
                    "layer_norm_eps must be positive, not " + layerNormEps);
        }
        if (eosTokenId < 0) {
            throw new IllegalArgumentException("eos_token_id can't be " + eosTokenId);
        }
    }

    /**
     * Reads the {@code config.json} of a network without a projection, transformers' {@code
     * CLIPTextModel}. Missing options have the defaults of {@code CLIPTextConfig}.
     *
     * @param warnings collect the unknown options
     * @throws IOException if it can't be read or is not supported
     */
    public static ClipConfig read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, ClipConfig::of);
    }

    /** Reads a config as {@link #read(Path, Warnings)} does; an unknown option is an error. */
    public static ClipConfig read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** Reads a config as {@link #read(Path, Warnings)} does, from one that is part of another. */
    public static ClipConfig of(ConfigReader json) {
        json.ignore("projection_dim");
        return of(json, builder());
    }

    /**
     * Reads the config of a network whose pooled text is projected, transformers' {@code
     * CLIPTextModelWithProjection}.
     */
    public static ClipConfig ofProjecting(ConfigReader json) {
        return of(json, builder().projectionDim(json.integer("projection_dim", 512)));
    }

    private static ClipConfig of(ConfigReader json, Builder values) {
        ignoreWhatIsNotEncoding(json);
        json.only("model_type", "clip_text_model");
        return values.vocabSize(json.integer("vocab_size", values.vocabSize))
                .hiddenSize(json.integer("hidden_size", values.hiddenSize))
                .intermediateSize(json.integer("intermediate_size", values.intermediateSize))
                .numHiddenLayers(json.integer("num_hidden_layers", values.numHiddenLayers))
                .numAttentionHeads(json.integer("num_attention_heads", values.numAttentionHeads))
                .maxPositionEmbeddings(
                        json.integer("max_position_embeddings", values.maxPositionEmbeddings))
                .activation(Activation.parse(json.text("hidden_act", "quick_gelu")))
                .layerNormEps(json.number("layer_norm_eps", values.layerNormEps))
                .eosTokenId(json.integer("eos_token_id", values.eosTokenId))
                .build();
    }

    /** Ignores options of training, ids that the tokenizer knows, and notes of transformers. */
    private static void ignoreWhatIsNotEncoding(ConfigReader json) {
        json.ignore("attention_dropout", "dropout", "initializer_factor", "initializer_range");
        json.ignore("bos_token_id", "pad_token_id", "architectures", "transformers_version");
        json.ignore("dtype", "torch_dtype", "output_attentions", "output_hidden_states");
        json.ignore("return_dict", "use_cache", "gradient_checkpointing");
    }

    // ---- Named values ----

    /** Starts a config with the reference's defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The values of a {@link ClipConfig} by name. Those that are not set are the defaults of
     * transformers' {@code CLIPTextConfig}, without a projection.
     */
    public static final class Builder {
        private int vocabSize = 49408;
        private int hiddenSize = 512;
        private int intermediateSize = 2048;
        private int numHiddenLayers = 12;
        private int numAttentionHeads = 8;
        private int maxPositionEmbeddings = 77;
        private Activation activation = Activation.QUICK_GELU;
        private double layerNormEps = 1e-5;
        private int eosTokenId = 49407;
        private @Nullable Integer projectionDim;

        private Builder() {}

        public Builder vocabSize(int vocabSize) {
            this.vocabSize = vocabSize;
            return this;
        }

        public Builder hiddenSize(int hiddenSize) {
            this.hiddenSize = hiddenSize;
            return this;
        }

        public Builder intermediateSize(int intermediateSize) {
            this.intermediateSize = intermediateSize;
            return this;
        }

        public Builder numHiddenLayers(int numHiddenLayers) {
            this.numHiddenLayers = numHiddenLayers;
            return this;
        }

        public Builder numAttentionHeads(int numAttentionHeads) {
            this.numAttentionHeads = numAttentionHeads;
            return this;
        }

        public Builder maxPositionEmbeddings(int maxPositionEmbeddings) {
            this.maxPositionEmbeddings = maxPositionEmbeddings;
            return this;
        }

        public Builder activation(Activation activation) {
            this.activation = activation;
            return this;
        }

        public Builder layerNormEps(double layerNormEps) {
            this.layerNormEps = layerNormEps;
            return this;
        }

        public Builder eosTokenId(int eosTokenId) {
            this.eosTokenId = eosTokenId;
            return this;
        }

        /** Sets the width of the pooled text's projection; null for none. */
        public Builder projectionDim(@Nullable Integer projectionDim) {
            this.projectionDim = projectionDim;
            return this;
        }

        /**
         * Makes the config.
         *
         * @throws IllegalArgumentException if the values do not fit together
         */
        public ClipConfig build() {
            return new ClipConfig(
                    vocabSize,
                    hiddenSize,
                    intermediateSize,
                    numHiddenLayers,
                    numAttentionHeads,
                    maxPositionEmbeddings,
                    activation,
                    layerNormEps,
                    eosTokenId,
                    projectionDim);
        }
    }
}
