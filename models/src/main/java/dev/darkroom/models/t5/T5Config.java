package dev.darkroom.models.t5;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Activation;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;

/**
 * The config of a {@link T5Encoder}; names and defaults are those of transformers.
 *
 * @param vocabSize rows of the table of token embeddings
 * @param dModel width of a token
 * @param dKv width of an attention head; heads · dKv need not be dModel
 * @param dFf width inside the feed-forward network
 * @param numLayers blocks
 * @param numHeads attention heads
 * @param relativeAttentionNumBuckets rows of the table of relative positions
 * @param relativeAttentionMaxDistance the distance from which on all share a row
 * @param layerNormEpsilon added to the mean square in norms
 * @param activation in the feed-forward network: ReLU in T5 1.0, {@link Activation#GELU_TANH} in T5
 *     1.1
 * @param gated whether the activation is a gate of a second projection (T5 1.1)
 */
public record T5Config(
        int vocabSize,
        int dModel,
        int dKv,
        int dFf,
        int numLayers,
        int numHeads,
        int relativeAttentionNumBuckets,
        int relativeAttentionMaxDistance,
        double layerNormEpsilon,
        Activation activation,
        boolean gated) {
    private static final String GATED = "gated-";

    public T5Config {
        if (vocabSize < 1 || dModel < 1 || dKv < 1 || dFf < 1 || numLayers < 1 || numHeads < 1) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "T5 needs sizes of at least 1, not vocab_size %d, d_model %d, d_kv %d,"
                                    + " d_ff %d, num_layers %d, num_heads %d",
                            vocabSize,
                            dModel,
                            dKv,
                            dFf,
                            numLayers,
                            numHeads));
        }
        if (relativeAttentionNumBuckets < 4 || relativeAttentionNumBuckets % 2 != 0) {
            throw new IllegalArgumentException(
                    "relative_attention_num_buckets must be even and at least 4, not "
                            + relativeAttentionNumBuckets);
        }
        if (relativeAttentionMaxDistance <= relativeAttentionNumBuckets / 4) {
            throw new IllegalArgumentException(
                    "relative_attention_max_distance must be more than a quarter of the "
                            + relativeAttentionNumBuckets
                            + " buckets, not "
                            + relativeAttentionMaxDistance);
        }
        if (!(layerNormEpsilon > 0)) {
            throw new IllegalArgumentException(
                    "layer_norm_epsilon must be positive, not " + layerNormEpsilon);
        }
    }

    /**
     * Returns the config of T5 1.1 XXL, the text encoder of PixArt, Stable Diffusion 3 and FLUX.
     */
    public static T5Config xxl() {
        return builder()
                .dModel(4096)
                .dFf(10240)
                .numLayers(24)
                .numHeads(64)
                .activation(Activation.GELU_TANH)
                .gated(true)
                .build();
    }

    /**
     * Reads a {@code config.json}. Missing options have the defaults of transformers' {@code
     * T5Config}.
     *
     * @param warnings collect the unknown options
     * @throws IOException if it can't be read or is not supported
     */
    public static T5Config read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, T5Config::of);
    }

    /** Reads a config as {@link #read(Path, Warnings)} does; an unknown option is an error. */
    public static T5Config read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** Reads a config as {@link #read(Path, Warnings)} does, from one that is part of another. */
    public static T5Config of(ConfigReader json) {
        ignoreWhatIsNotEncoding(json);
        json.only("model_type", "t5");
        json.only("is_decoder", false);
        String feedForward = json.text("feed_forward_proj", "relu");
        boolean gated = feedForward.startsWith(GATED);
        String activation = gated ? feedForward.substring(GATED.length()) : feedForward;
        if (feedForward.equals("gated-gelu")) {
            activation = "gelu_new";
        }
        var missing = builder();
        return builder()
                .vocabSize(json.integer("vocab_size", missing.vocabSize))
                .dModel(json.integer("d_model", missing.dModel))
                .dKv(json.integer("d_kv", missing.dKv))
                .dFf(json.integer("d_ff", missing.dFf))
                .numLayers(json.integer("num_layers", missing.numLayers))
                .numHeads(json.integer("num_heads", missing.numHeads))
                .relativeAttentionNumBuckets(
                        json.integer(
                                "relative_attention_num_buckets",
                                missing.relativeAttentionNumBuckets))
                .relativeAttentionMaxDistance(
                        json.integer(
                                "relative_attention_max_distance",
                                missing.relativeAttentionMaxDistance))
                .layerNormEpsilon(json.number("layer_norm_epsilon", missing.layerNormEpsilon))
                // As transformers does, these two overrule feed_forward_proj.
                .activation(Activation.parse(json.text("dense_act_fn", activation)))
                .gated(json.flag("is_gated_act", gated))
                .build();
    }

    /**
     * Ignores options of training and of the decoder, ids that the tokenizer knows, and notes of
     * transformers.
     */
    private static void ignoreWhatIsNotEncoding(ConfigReader json) {
        json.ignore("dropout_rate", "classifier_dropout", "initializer_factor");
        json.ignore("gradient_checkpointing", "tie_word_embeddings", "task_specific_params");
        json.ignore("num_decoder_layers", "is_encoder_decoder", "scale_decoder_outputs");
        json.ignore("decoder_start_token_id", "pad_token_id", "eos_token_id", "bos_token_id");
        json.ignore("use_cache", "output_past", "output_attentions", "output_hidden_states");
        json.ignore("n_positions", "return_dict", "architectures", "transformers_version");
        json.ignore("dtype", "torch_dtype", "tokenizer_class");
    }

    // ---- Named values ----

    /** Starts a config with the reference's defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * The values of a {@link T5Config} by name. Those that are not set are the defaults of
     * transformers' {@code T5Config}.
     */
    public static final class Builder {
        private int vocabSize = 32128;
        private int dModel = 512;
        private int dKv = 64;
        private int dFf = 2048;
        private int numLayers = 6;
        private int numHeads = 8;
        private int relativeAttentionNumBuckets = 32;
        private int relativeAttentionMaxDistance = 128;
        private double layerNormEpsilon = 1e-6;
        private Activation activation = Activation.RELU;
        private boolean gated = false;

        private Builder() {}

        public Builder vocabSize(int vocabSize) {
            this.vocabSize = vocabSize;
            return this;
        }

        public Builder dModel(int dModel) {
            this.dModel = dModel;
            return this;
        }

        public Builder dKv(int dKv) {
            this.dKv = dKv;
            return this;
        }

        public Builder dFf(int dFf) {
            this.dFf = dFf;
            return this;
        }

        public Builder numLayers(int numLayers) {
            this.numLayers = numLayers;
            return this;
        }

        public Builder numHeads(int numHeads) {
            this.numHeads = numHeads;
            return this;
        }

        public Builder relativeAttentionNumBuckets(int relativeAttentionNumBuckets) {
            this.relativeAttentionNumBuckets = relativeAttentionNumBuckets;
            return this;
        }

        public Builder relativeAttentionMaxDistance(int relativeAttentionMaxDistance) {
            this.relativeAttentionMaxDistance = relativeAttentionMaxDistance;
            return this;
        }

        public Builder layerNormEpsilon(double layerNormEpsilon) {
            this.layerNormEpsilon = layerNormEpsilon;
            return this;
        }

        public Builder activation(Activation activation) {
            this.activation = activation;
            return this;
        }

        public Builder gated(boolean gated) {
            this.gated = gated;
            return this;
        }

        /**
         * Makes the config.
         *
         * @throws IllegalArgumentException if the values do not fit together
         */
        public T5Config build() {
            return new T5Config(
                    vocabSize,
                    dModel,
                    dKv,
                    dFf,
                    numLayers,
                    numHeads,
                    relativeAttentionNumBuckets,
                    relativeAttentionMaxDistance,
                    layerNormEpsilon,
                    activation,
                    gated);
        }
    }
}
