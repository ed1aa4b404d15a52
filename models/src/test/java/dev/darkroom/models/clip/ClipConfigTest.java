package dev.darkroom.models.clip;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Activation;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

class ClipConfigTest {
    @TempDir Path folder;

    private Path file(String json) throws IOException {
        return Files.writeString(folder.resolve("config.json"), json);
    }

    @Test
    void missingOptionsHaveTheReferencesDefaults() throws IOException {
        assertEquals(ClipConfig.builder().build(), ClipConfig.read(file("{}")));
        assertEquals(
                ClipConfig.builder().projectionDim(512).build(),
                ConfigReader.read(file("{}"), Warnings.strict(), ClipConfig::ofProjecting));
    }

    /** Whether the projection is there is said by the class; configs have its width in any case. */
    @Test
    void readsAllOptions() throws IOException {
        String json =
                """
                {"architectures": ["CLIPTextModelWithProjection"], "attention_dropout": 0.0,
                 "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2, "hidden_act": "gelu",
                 "hidden_size": 1280, "initializer_factor": 1.0, "initializer_range": 0.02,
                 "intermediate_size": 5120, "layer_norm_eps": 1e-06,
                 "max_position_embeddings": 64, "model_type": "clip_text_model",
                 "num_attention_heads": 20, "num_hidden_layers": 32, "pad_token_id": 1,
                 "projection_dim": 1024, "torch_dtype": "float16",
                 "transformers_version": "4.32.0.dev0", "vocab_size": 1000}
                """;
        var expected =
                ClipConfig.builder()
                        .vocabSize(1000)
                        .hiddenSize(1280)
                        .intermediateSize(5120)
                        .numHiddenLayers(32)
                        .numAttentionHeads(20)
                        .maxPositionEmbeddings(64)
                        .activation(Activation.GELU)
                        .layerNormEps(1e-6)
                        .eosTokenId(ClipConfig.OLD_EOS);
        assertEquals(expected.build(), ClipConfig.read(file(json)));
        assertEquals(
                expected.projectionDim(1024).build(),
                ConfigReader.read(file(json), Warnings.strict(), ClipConfig::ofProjecting));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "model_type          | \"clip\"",
                "hidden_size         | 0",
                "num_attention_heads | 7",
                "layer_norm_eps      | 0",
                "eos_token_id        | -1",
                "hidden_act          | \"swoosh\"",
                "vocab_size          | \"many\"",
                "a_new_option        | 1",
            })
    void whatIsNotSupportedIsNamed(String option, String value) throws IOException {
        Path file = file("{\"%s\": %s}".formatted(option, value));
        var error = assertThrows(ConfigException.class, () -> ClipConfig.read(file));
        String named = option.equals("hidden_act") ? "swoosh" : option;
        assertTrue(error.getMessage().contains(named), error.getMessage());
    }
}
