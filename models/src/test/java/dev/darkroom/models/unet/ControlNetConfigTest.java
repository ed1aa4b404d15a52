package dev.darkroom.models.unet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.family.Image;
import dev.darkroom.runtime.Warnings;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.util.Arrays;
import java.util.List;

class ControlNetConfigTest {
    private static ControlNetConfig read(String options) {
        String json = "{\"_class_name\": \"ControlNetModel\"" + options + "}";
        return ConfigReader.of("", json, Warnings.strict(), ControlNetConfig::of);
    }

    @Test
    void whatIsNotSaidIsTheReferencesDefault() {
        var config = read("");
        assertEquals(List.of(16, 32, 96, 256), config.conditioningChannels());
        assertEquals(8, config.pixelsPerLatent());
        assertEquals(List.of(320, 640, 1280, 1280), config.path().blockOutChannels());
        assertTrue(!config.isBgr() && !config.isPooled());
    }

    @Test
    void otherLevelsThanFourAreRead() {
        var config =
                read(
                        ", \"block_out_channels\": [32, 64], \"attention_head_dim\": [2, 4],"
                            + " \"down_block_types\": [\"DownBlock2D\", \"CrossAttnDownBlock2D\"],"
                            + " \"controlnet_conditioning_channel_order\": \"bgr\","
                            + " \"global_pool_conditions\": true");
        assertEquals(List.of(false, true), config.path().downBlockAttention());
        assertTrue(config.isBgr() && config.isPooled());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"conditioning_channels\": 4 | conditioning_channels",
                "\"conditioning_embedding_out_channels\": [] | conditioning_embedding_out_channels",
                "\"conditioning_embedding_out_channels\": [0] |"
                        + " conditioning_embedding_out_channels",
                "\"controlnet_conditioning_channel_order\": \"hsv\" | hsv",
                "\"encoder_hid_dim\": 4096 | encoder_hid_dim",
                "\"num_class_embeds\": 4 | num_class_embeds",
                "\"up_block_types\": [\"UpBlock2D\"] | up_block_types",
            })
    void whatIsNotSupportedIsNamed(String option, String name) {
        var error = assertThrows(IllegalArgumentException.class, () -> read(", " + option));
        assertTrue(error.getMessage().contains(name), error.getMessage());
    }

    @Test
    void misfitsHaveBothNumbers() {
        var net = read(", \"cross_attention_dim\": 768");
        assertEquals(List.of(), net.misfits(UnetConfig.builder().crossAttentionDim(768).build()));
        var shown = UnetConfig.builder().crossAttentionDim(768).inChannels(9).build();
        assertEquals(List.of(), net.misfits(shown), "a U-Net that is shown a mask too");
        assertEquals(
                List.of(
                        "cross_attention_dim 768, and the U-Net 1024",
                        "addition_embed_type null, and the U-Net text_time"),
                net.misfits(
                        UnetConfig.builder()
                                .crossAttentionDim(1024)
                                .additionTimeEmbedDim(256)
                                .projectionInputDim(2816)
                                .build()));
    }

    @Test
    void aNetActsInItsShareOfTheEvaluations() {
        var picture = ControlPicture.of(new Image(3, 1, 1, new float[3])).withScale(0.7);
        var part = picture.between(0.25, 0.6);
        var scales = new double[5];
        for (int i = 0; i < 5; i++) {
            assertEquals(0.7, picture.scaleIn(i, 5));
            scales[i] = part.scaleIn(i, 5);
        }
        assertEquals(List.of(0.0, 0.0, 0.7, 0.0, 0.0), Arrays.stream(scales).boxed().toList());
    }

    @Test
    void wrongValuesAreRefused() {
        var picture = ControlPicture.of(new Image(3, 1, 1, new float[3]));
        assertThrows(IllegalArgumentException.class, () -> picture.withScale(Double.NaN));
        assertThrows(IllegalArgumentException.class, () -> picture.between(0.5, 0.5));
        assertThrows(IllegalArgumentException.class, () -> picture.between(-0.1, 1));
        assertThrows(IllegalArgumentException.class, () -> picture.between(0, 1.1));
        var mask = new Image(1, 1, 1, new float[1]);
        assertThrows(IllegalArgumentException.class, () -> ControlPicture.of(mask));
    }
}
