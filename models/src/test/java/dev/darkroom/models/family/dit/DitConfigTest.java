package dev.darkroom.models.family.dit;

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

class DitConfigTest {
    @TempDir Path folder;

    private DitConfig read(String json) throws IOException {
        return DitConfig.read(Files.writeString(folder.resolve("config.json"), json));
    }

    @Test
    void missingOptionsHaveTheReferencesDefaults() throws IOException {
        assertEquals(
                DitConfig.builder()
                        .numAttentionHeads(16)
                        .attentionHeadDim(72)
                        .inChannels(4)
                        .outChannels(4)
                        .numLayers(28)
                        .attentionBias(true)
                        .sampleSize(32)
                        .patchSize(2)
                        .activation(Activation.GELU_TANH)
                        .normEps(1e-5)
                        .numEmbedsAdaNorm(1000)
                        .build(),
                read("{}"));
        assertEquals(1000, read("{}").nullClass());
        assertEquals(256, read("{\"time_cond_proj_dim\": 256}").timeCondProjDim());
        assertEquals(read("{}"), read("{\"gate_value\": null}"));
        assertEquals(new SecondTime(0.25, false), read("{\"gate_value\": 0.25}").secondTime());
        assertEquals(
                new SecondTime(1, true),
                read("{\"gate_value\": 1, \"deltatime_type\": \"t-r\"}").secondTime());
    }

    @Test
    void theOldClassIsRead() throws IOException {
        assertEquals(
                DitConfig.xl2(32),
                read(
                        """
                        {"_class_name": "Transformer2DModel", "activation_fn": "gelu-approximate",
                         "attention_bias": true, "attention_head_dim": 72,
                         "cross_attention_dim": null, "dropout": 0.0, "in_channels": 4,
                         "norm_elementwise_affine": false, "norm_num_groups": 32,
                         "norm_type": "ada_norm_zero", "num_attention_heads": 16,
                         "num_embeds_ada_norm": 1000, "num_layers": 28, "num_vector_embeds": null,
                         "only_cross_attention": false, "out_channels": 8, "patch_size": 2,
                         "sample_size": 32, "upcast_attention": false,
                         "use_linear_projection": false}
                        """));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "norm_type           | \"ada_norm_single\"",
                "cross_attention_dim | 768",
                "activation_fn       | \"geglu\"",
                "num_embeds_ada_norm | null",
                "num_embeds_ada_norm | 0",
                "norm_eps            | -1",
                "num_layers          | 1.5",
                "caption_channels    | 4096",
                "time_cond_proj_dim  | 0",
                "gate_value          | 1.5",
                "gate_value          | -0.1",
                "gate_value          | \"half\"",
                "deltatime_type      | \"r\"",
                "deltatime_type      | \"r-t\"",
            })
    void whatIsNotSupportedIsNamed(String option, String value) {
        var error =
                assertThrows(
                        ConfigException.class, () -> read("{\"%s\": %s}".formatted(option, value)));
        assertTrue(error.getMessage().contains(option), error.getMessage());
    }
}
