package dev.darkroom.models.vae;

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
import java.util.List;

class AutoencoderKlConfigTest {
    @TempDir Path folder;

    private AutoencoderKlConfig read(String json) throws IOException {
        return AutoencoderKlConfig.read(Files.writeString(folder.resolve("config.json"), json));
    }

    @Test
    void missingOptionsHaveTheReferencesDefaults() throws IOException {
        assertEquals(
                AutoencoderKlConfig.builder()
                        .inChannels(3)
                        .outChannels(3)
                        .downBlockAttention(List.of(false))
                        .upBlockAttention(List.of(false))
                        .blockOutChannels(List.of(64))
                        .layersPerBlock(1)
                        .activation(Activation.SILU)
                        .latentChannels(4)
                        .normGroups(32)
                        .scalingFactor(0.18215)
                        .forceUpcast(true)
                        .quantConv(true)
                        .postQuantConv(true)
                        .midBlockAttention(true)
                        .build(),
                read("{\"_class_name\": \"AutoencoderKL\"}"));
    }

    @Test
    void everyOptionIsRead() throws IOException {
        String json =
                """
                {"in_channels": 1, "out_channels": 2, "layers_per_block": 3, "latent_channels": 2,
                 "down_block_types": ["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
                 "up_block_types": ["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
                 "block_out_channels": [8, 16], "act_fn": "mish", "norm_num_groups": 4,
                 "sample_size": 512, "scaling_factor": 0.5, "shift_factor": null,
                 "latents_mean": [1, 2], "latents_std": [3, 4], "force_upcast": false,
                 "use_quant_conv": false, "use_post_quant_conv": false,
                 "mid_block_add_attention": false}\
                """;
        var config = read(json);
        assertEquals(
                AutoencoderKlConfig.builder()
                        .inChannels(1)
                        .outChannels(2)
                        .downBlockAttention(List.of(false, true))
                        .upBlockAttention(List.of(true, false))
                        .blockOutChannels(List.of(8, 16))
                        .layersPerBlock(3)
                        .activation(Activation.MISH)
                        .latentChannels(2)
                        .normGroups(4)
                        .scalingFactor(0.5)
                        .latentsMean(List.of(1.0, 2.0))
                        .latentsStd(List.of(3.0, 4.0))
                        .forceUpcast(false)
                        .quantConv(false)
                        .postQuantConv(false)
                        .midBlockAttention(false)
                        .build(),
                config);
        assertEquals(2, config.downsampling());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"norm_type\": \"spatial\"} | option not supported: norm_type (\"spatial\")",
                "{\"down_block_types\": [\"DownBlock2D\"]} | down_block_types \"DownBlock2D\" is"
                        + " not supported, only DownEncoderBlock2D and AttnDownEncoderBlock2D",
                "{\"up_block_types\": [\"UpBlock2D\"]} | up_block_types \"UpBlock2D\" is"
                        + " not supported, only UpDecoderBlock2D and AttnUpDecoderBlock2D",
                "{\"block_out_channels\": [64, 64]} | down_block_types must have 2"
                        + " elements, as block_out_channels says, not 1",
                "{\"block_out_channels\": []} | block_out_channels can't be []",
                "{\"block_out_channels\": [40]} | block_out_channels [40] do not divide into"
                        + " norm_num_groups 32",
                "{\"layers_per_block\": 0} | layers_per_block can't be 0",
                "{\"layers_per_block\": 101} | layers_per_block can't be 101",
                "{\"layers_per_block\": 2000000000} | layers_per_block must be at most 1000, not"
                        + " 2000000000",
                "{\"latent_channels\": -1} | latent_channels can't be -1",
                "{\"scaling_factor\": NaN} | scaling_factor can't be NaN",
                "{\"scaling_factor\": 0} | scaling_factor can't be 0.0",
                "{\"shift_factor\": Infinity} | shift_factor can't be Infinity",
                "{\"latents_mean\": [1]} | latents_mean must have 4 elements, as latent_channels"
                        + " says, not 1",
                "{\"latents_mean\": [1, 2, 3, 4]} | latents_mean and latents_std go together",
                "{\"latents_std\": [1, 2, 3, 4]} | latents_mean and latents_std go together",
                "{\"latents_mean\": [1, 2, 3, 4], \"latents_std\": [1, 0, 3, 4]} | latents_std"
                        + " can't be [1.0, 0.0, 3.0, 4.0]",
                "{\"latents_mean\": [1, 2, 3, 4], \"latents_std\": [1, 1, 1, 1],"
                        + " \"shift_factor\": 0.5} | shift_factor 0.5 and latents_mean can't both",
                "{\"act_fn\": \"snake\"} | no activation \"snake\"; there are silu, swish"
            })
    void whatIsNotSupportedIsNamed(String json, String message) {
        var error = assertThrows(ConfigException.class, () -> read(json));
        assertTrue(error.getMessage().contains("config.json: " + message), error.getMessage());
    }
}
