package dev.darkroom.models.t5;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Activation;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;

/**
 * The shape of a T5 encoder.
 *
 * @param vocabSize rows of the table of words
 * @param dModel width of a token
 * @param dKv width of an attention head; heads · dKv need not be dModel
 * @param dFf width inside the feed-forward network
 * @param numLayers blocks
 * @param numHeads attention heads
 * @param relativeAttentionNumBuckets rows of the table of relative positions
 * @param relativeAttentionMaxDistance from here on all distances share a row
 * @param layerNormEpsilon added to the mean square in norms
 * @param activation inside the feed-forward network: ReLU in T5 1.0, {@link Activation#GELU_TANH}
 *     in T5 1.1
 * @param gated whether what the activation gives is a gate for a second projection (T5 1.1)
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

    /** T5 1.1 XXL: the text encoder of PixArt, Stable Diffusion 3 and FLUX. */
    public static T5Config xxl() {
        return new T5Config(
                32128, 4096, 64, 10240, 24, 64, 32, 128, 1e-6, Activation.GELU_TANH, true);
    }

    /**
     * Reads a {@code config.json}. Missing options have the defaults of transformers' {@code
     * T5Config}.
     *
     * @param warnings are told of unknown options
     * @throws IOException if it can't be read or is not supported
     */
    public static T5Config read(Path file, Warnings warnings) throws IOException {
        return ConfigReader.read(file, warnings, T5Config::of);
    }

    /** As {@link #read(Path, Warnings)}; an unknown option is an error. */
    public static T5Config read(Path file) throws IOException {
        return read(file, Warnings.strict());
    }

    /** As {@link #read(Path, Warnings)}, from a config that is part of another. */
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
        return new T5Config(
                json.integer("vocab_size", 32128),
                json.integer("d_model", 512),
                json.integer("d_kv", 64),
                json.integer("d_ff", 2048),
                json.integer("num_layers", 6),
                json.integer("num_heads", 8),
                json.integer("relative_attention_num_buckets", 32),
                json.integer("relative_attention_max_distance", 128),
                json.number("layer_norm_epsilon", 1e-6),
                // As transformers does, these two overrule feed_forward_proj.
                Activation.parse(json.text("dense_act_fn", activation)),
                json.flag("is_gated_act", gated));
    }

    /** Training, the decoder, ids that the tokenizer knows, and what transformers notes down. */
    private static void ignoreWhatIsNotEncoding(ConfigReader json) {
        json.ignore("dropout_rate", "classifier_dropout", "initializer_factor");
        json.ignore("gradient_checkpointing", "tie_word_embeddings", "task_specific_params");
        json.ignore("num_decoder_layers", "is_encoder_decoder", "scale_decoder_outputs");
        json.ignore("decoder_start_token_id", "pad_token_id", "eos_token_id", "bos_token_id");
        json.ignore("use_cache", "output_past", "output_attentions", "output_hidden_states");
        json.ignore("n_positions", "return_dict", "architectures", "transformers_version");
        json.ignore("dtype", "torch_dtype", "tokenizer_class");
    }
}
