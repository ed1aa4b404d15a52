package dev.darkroom.models.family.pixart;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigException;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

class PixArtConfigTest {
    @TempDir Path folder;

    private PixArtConfig read(String json) throws IOException {
        return PixArtConfig.read(Files.writeString(folder.resolve("config.json"), json));
    }

    @Test
    void missingOptionsHaveTheReferencesDefaults() throws IOException {
        assertEquals(
                PixArtConfig.builder()
                        .numAttentionHeads(16)
                        .attentionHeadDim(72)
                        .inChannels(4)
                        .outChannels(8)
                        .numLayers(28)
                        .crossAttentionDim(1152)
                        .attentionBias(true)
                        .sampleSize(128)
                        .patchSize(2)
                        .activation(Activation.GELU_TANH)
                        .normEps(1e-6)
                        .interpolationScale(2.0) // 128 / 64
                        .useAdditionalConditions(true) // as sample_size is 128
                        .build(),
                read("{}"));
    }

    @Test
    void nullsFollowFromOtherOptions() throws IOException {
        var config = read("{\"sample_size\": 32, \"in_channels\": 16, \"out_channels\": null}");
        assertEquals(16, config.outChannels());
        assertEquals(1.0, config.interpolationScale());
        assertEquals(false, config.useAdditionalConditions());
        assertEquals(1152, config.textWidth());
        assertEquals(4.0, read("{\"sample_size\": 256}").interpolationScale());
    }

    @Test
    void theOldClassIsRead() throws IOException {
        assertEquals(
                PixArtConfig.alphaXl2(128),
                read(
                        """
                        {"_class_name": "Transformer2DModel", "norm_type": "ada_norm_single",
                         "activation_fn": "gelu-approximate", "attention_bias": true,
                         "attention_head_dim": 72, "attention_type": "default",
                         "caption_channels": 4096, "cross_attention_dim": 1152,
                         "double_self_attention": false, "dropout": 0.0, "in_channels": 4,
                         "norm_elementwise_affine": false, "norm_eps": 1e-06, "norm_num_groups": 32,
                         "num_attention_heads": 16, "num_embeds_ada_norm": 1000, "num_layers": 28,
                         "num_vector_embeds": null, "only_cross_attention": false,
                         "out_channels": 8, "patch_size": 2, "sample_size": 128,
                         "upcast_attention": false, "use_linear_projection": false}
                        """));
    }

    @Test
    void guidanceMayBeTold() throws IOException {
        assertEquals(256, read("{\"time_cond_proj_dim\": 256}").timeCondProjDim());
        assertEquals(read("{}"), read("{\"time_cond_proj_dim\": null}"));
    }

    @Test
    void casesAreRead() throws IOException {
        var sigma = PixArtConfig.read(Golden.part("pixart_sigma", "transformer/config.json"));
        assertEquals(2.0, sigma.interpolationScale());
        assertEquals(48, sigma.width());
        assertEquals(32, sigma.textWidth());
        assertEquals(false, sigma.useAdditionalConditions());
        assertEquals(false, PixArtConfig.sigmaXl2(128).useAdditionalConditions());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "norm_type               | \"ada_norm_zero\"",
                "norm_elementwise_affine | true",
                "activation_fn           | \"geglu\"",
                "attention_type          | \"gated\"",
                "only_cross_attention    | true",
                "double_self_attention   | true",
                "use_linear_projection   | true",
                "num_vector_embeds       | 10",
                "num_layers              | 0",
                "patch_size              | 0",
                "sample_size             | 1",
                "attention_head_dim      | -72",
                "norm_eps                | 0",
                "interpolation_scale     | NaN",
                "cross_attention_dim     | null",
                "caption_channels        | 0",
                "in_channels             | \"four\"",
                "a_new_option            | 1",
                "time_cond_proj_dim      | 2",
                "time_cond_proj_dim      | 33",
            })
    void whatIsNotSupportedIsNamed(String option, String value) {
        var error =
                assertThrows(
                        ConfigException.class, () -> read("{\"%s\": %s}".formatted(option, value)));
        assertTrue(error.getMessage().contains(option), error.getMessage());
    }

    @Test
    void optionsThatDoNotFitTogether() {
        assertThrows(
                ConfigException.class,
                () -> read("{\"caption_channels\": 4096, \"cross_attention_dim\": 768}"));
        assertThrows(
                ConfigException.class,
                () -> read("{\"num_attention_heads\": 1, \"attention_head_dim\": 64}"));
        assertThrows(
                ConfigException.class,
                () ->
                        read(
                                "{\"sample_size\": 64, \"num_attention_heads\": 1,"
                                        + " \"attention_head_dim\": 7}"));
    }
}
