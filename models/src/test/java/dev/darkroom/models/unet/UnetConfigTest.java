package dev.darkroom.models.unet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

class UnetConfigTest {
    @TempDir Path folder;

    private UnetConfig read(String json) throws IOException {
        Path file = folder.resolve("config.json");
        return UnetConfig.read(Files.writeString(file, json.replace('\'', '"')));
    }

    @Test
    void missingOptionsHaveTheReferencesDefaults() throws IOException {
        assertEquals(UnetConfig.builder().build(), read("{}"));
    }

    @Test
    void readsWhatIsTheSameForAllLevelsAndWhatIsNot() throws IOException {
        var config =
                read(
                        """
                        {'_class_name': 'UNet2DConditionModel', 'act_fn': 'silu',
                         'addition_embed_type': 'text_time', 'addition_embed_type_num_heads': 64,
                         'addition_time_embed_dim': 256, 'attention_head_dim': [5, 10, 20],
                         'block_out_channels': [320, 640, 1280], 'center_input_sample': false,
                         'class_embed_type': null, 'conv_in_kernel': 3,
                         'cross_attention_dim': 2048, 'cross_attention_norm': null,
                         'down_block_types': ['DownBlock2D', 'CrossAttnDownBlock2D',
                         'CrossAttnDownBlock2D'], 'flip_sin_to_cos': true, 'freq_shift': 0,
                         'in_channels': 9, 'mid_block_scale_factor': 1,
                         'mid_block_type': 'UNetMidBlock2DCrossAttn',
                         'only_cross_attention': [true, false, false],
                         'projection_class_embeddings_input_dim': 2816, 'sample_size': 128,
                         'time_cond_proj_dim': 256, 'transformer_layers_per_block': 4,
                         'up_block_types': ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D',
                         'UpBlock2D'], 'upcast_attention': null, 'use_linear_projection': true}
                        """);
        var expected =
                UnetConfig.builder()
                        .inChannels(9)
                        .sampleSize(128)
                        .downBlockAttention(List.of(false, true, true))
                        .upBlockAttention(List.of(true, true, false))
                        .blockOutChannels(List.of(320, 640, 1280))
                        .crossAttentionDim(2048)
                        .attentionHeads(List.of(5, 10, 20))
                        .transformerLayers(List.of(4, 4, 4))
                        .onlyCrossAttention(List.of(true, false, false))
                        .useLinearProjection(true)
                        .additionTimeEmbedDim(256)
                        .projectionInputDim(2816)
                        .timeCondProjDim(256)
                        .build();
        assertEquals(expected, config);
        assertTrue(config.isSized());
        assertEquals(1280, config.timeWidth());
    }

    /** As SSD-1B's and BK-SDM's configs say it. */
    @Test
    void readsWhichBlocksAreLeftOut() throws IOException {
        var config =
                read(
                        """
                        {'attention_head_dim': [5, 10, 20], 'block_out_channels': [320, 640, 1280],
                         'down_block_types': ['DownBlock2D', 'CrossAttnDownBlock2D',
                         'CrossAttnDownBlock2D'], 'mid_block_type': null,
                         'reverse_transformer_layers_per_block': [[4, 4, 10], [2, 1, 1], 1],
                         'transformer_layers_per_block': [1, [2, 2], [4, 4]],
                         'up_block_types': ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D',
                         'UpBlock2D']}
                        """);
        var depths =
                new UnetConfig.Depths(
                        List.of(List.of(1), List.of(2, 2), List.of(4, 4)),
                        List.of(List.of(4, 4, 10), List.of(2, 1, 1), List.of(1)));
        assertEquals(depths, config.depths());
        assertEquals(UnetConfig.Middle.NOTHING, config.middle());
        assertEquals(10, config.upDepth(0, 2));
        assertEquals(1, config.upDepth(2, 2));
        assertEquals(
                UnetConfig.Middle.RESIDUAL, read("{'mid_block_type': 'UNetMidBlock2D'}").middle());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "center_input_sample         | true",
                "flip_sin_to_cos             | false",
                "freq_shift                  | 1",
                "mid_block_type              | \"UNetMidBlock2DSimpleCrossAttn\"",
                "encoder_hid_dim             | 4096",
                "class_embed_type            | \"timestep\"",
                "resnet_time_scale_shift     | \"scale_shift\"",
                "down_block_types            | [\"DownBlock2D\", \"AttnDownBlock2D\"]",
                "up_block_types              | [\"UpBlock2D\"]",
                "attention_head_dim          | [8, 8]",
                "attention_head_dim          | 7",
                "attention_head_dim          | \"eight\"",
                "only_cross_attention        | 1",
                "block_out_channels          | [320, 640]",
                "block_out_channels          | [320, 640, 1280, 1270]",
                "layers_per_block            | 0",
                "transformer_layers_per_block| 0",
                "transformer_layers_per_block| [1, 1, [1, 1], 1]",
                "reverse_transformer_layers_per_block| [1, 1, [1, 1], 1]",
                "reverse_transformer_layers_per_block| [1, 1]",
                "reverse_transformer_layers_per_block| [1, 1, [], 1]",
                "norm_eps                    | 0",
                "addition_embed_type         | \"image\"",
                "addition_time_embed_dim     | 256",
                "time_cond_proj_dim          | 3",
                "a_new_option                | 1",
            })
    void whatIsNotSupportedIsNamed(String option, String value) {
        var error =
                assertThrows(
                        ConfigException.class, () -> read("{\"%s\": %s}".formatted(option, value)));
        assertTrue(error.getMessage().contains(option), error.getMessage());
    }
}
