package dev.darkroom.models.t5;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.runtime.nn.Activation;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

class T5ConfigTest {
    @TempDir Path folder;

    private T5Config read(String json) throws IOException {
        return T5Config.read(Files.writeString(folder.resolve("config.json"), json));
    }

    @Test
    void missingOptionsHaveTheReferencesDefaults() throws IOException {
        assertEquals(
                T5Config.builder()
                        .vocabSize(32128)
                        .dModel(512)
                        .dKv(64)
                        .dFf(2048)
                        .numLayers(6)
                        .numHeads(8)
                        .relativeAttentionNumBuckets(32)
                        .relativeAttentionMaxDistance(128)
                        .layerNormEpsilon(1e-6)
                        .activation(Activation.RELU)
                        .gated(false)
                        .build(),
                read("{}"));
    }

    @Test
    void xxlAsPublished() throws IOException {
        assertEquals(
                T5Config.xxl(),
                read(
                        """
                        {"_name_or_path": "t5-v1_1-xxl", "architectures": ["T5EncoderModel"],
                         "classifier_dropout": 0.0, "d_ff": 10240, "d_kv": 64, "d_model": 4096,
                         "decoder_start_token_id": 0, "dense_act_fn": "gelu_new",
                         "dropout_rate": 0.1, "eos_token_id": 1, "feed_forward_proj": "gated-gelu",
                         "initializer_factor": 1.0, "is_encoder_decoder": true,
                         "is_gated_act": true, "layer_norm_epsilon": 1e-06, "model_type": "t5",
                         "num_decoder_layers": 24, "num_heads": 64, "num_layers": 24,
                         "output_past": true, "pad_token_id": 0,
                         "relative_attention_max_distance": 128,
                         "relative_attention_num_buckets": 32, "tie_word_embeddings": false,
                         "torch_dtype": "float32", "transformers_version": "4.21.1",
                         "use_cache": true, "vocab_size": 32128}
                        """));
    }

    /** What transformers 4.57.1 makes of each. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{}                                                                 | RELU      |"
                        + " false",
                "{'feed_forward_proj': 'relu'}                                      | RELU      |"
                        + " false",
                "{'feed_forward_proj': 'gated-gelu'}                                | GELU_TANH |"
                        + " true",
                "{'feed_forward_proj': 'gated-silu'}                                | SILU      |"
                        + " true",
                "{'feed_forward_proj': 'gelu'}                                      | GELU      |"
                        + " false",
                "{'feed_forward_proj': 'gelu_new'}                                  | GELU_TANH |"
                        + " false",
                "{'is_gated_act': true, 'dense_act_fn': 'gelu_pytorch_tanh'}        | GELU_TANH |"
                        + " true",
                "{'is_gated_act': true, 'dense_act_fn': 'gelu_new'}                 | GELU_TANH |"
                        + " true",
                "{'is_gated_act': true}                                             | RELU      |"
                        + " true",
                "{'dense_act_fn': 'gelu_new'}                                       | GELU_TANH |"
                        + " false",
                "{'feed_forward_proj': 'gated-gelu', 'is_gated_act': false}         | GELU_TANH |"
                        + " false",
                "{'feed_forward_proj': 'gated-gelu', 'is_gated_act': null}          | GELU_TANH |"
                        + " false",
                "{'feed_forward_proj': 'gated-gelu', 'dense_act_fn': 'gelu'}        | GELU      |"
                        + " true",
                "{'feed_forward_proj': null, 'dense_act_fn': null}                  | RELU      |"
                        + " false",
            })
    void theFeedForwardNetworkIsThatOfTransformers(
            String json, Activation activation, boolean gated) throws IOException {
        var config = read(json.replace('\'', '"'));
        assertEquals(activation, config.activation());
        assertEquals(gated, config.gated());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'feed_forward_proj': 'gated-gelu-new'} | no activation \"gelu-new\"",
                "{'feed_forward_proj': 'a-relu'}         | no activation \"a-relu\"",
                "{'dense_act_fn': 'gelu_10'}             | no activation \"gelu_10\""
            })
    void anUnknownActivationIsNamed(String json, String message) {
        var error = assertThrows(ConfigException.class, () -> read(json.replace('\'', '"')));
        assertTrue(error.getMessage().contains(message), error.getMessage());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "model_type                      | \"umt5\"",
                "is_decoder                      | true",
                "d_model                         | 0",
                "relative_attention_num_buckets  | 3",
                "relative_attention_max_distance | 8",
                "layer_norm_epsilon              | 0",
                "vocab_size                      | \"many\"",
                "is_gated_act                    | 1",
                "a_new_option                    | 1",
            })
    void whatIsNotSupportedIsNamed(String option, String value) {
        var error =
                assertThrows(
                        ConfigException.class, () -> read("{\"%s\": %s}".formatted(option, value)));
        assertTrue(error.getMessage().contains(option), error.getMessage());
    }
}
