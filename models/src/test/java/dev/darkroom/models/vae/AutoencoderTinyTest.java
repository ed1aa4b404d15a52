package dev.darkroom.models.vae;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.ModelException;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;

import java.io.IOException;

/** The tiny autoencoder, against what diffusers computed by {@code tests/oracle/pixels.py}. */
class AutoencoderTinyTest {
    private static final String CONFIG =
            """
            {"encoder_block_out_channels": [4, 4, 4], "num_encoder_blocks": [1, 2, 1],
             "decoder_block_out_channels": [6, 6, 6], "num_decoder_blocks": [2, 1, 1],
             "block_out_channels": [6, 6, 6], "latent_magnitude": 3, "latent_shift": 0.5,
             "upsample_fn": "nearest", "upsampling_scaling_factor": 2}
            """;

    private static AutoencoderTinyConfig config(String json) {
        return ConfigReader.of(json, AutoencoderTinyConfig::of);
    }

    private static AutoencoderTiny made(String json) throws IOException {
        AutoencoderTinyConfig config = config(json);
        return Golden.network(w -> new AutoencoderTiny(w, config));
    }

    @Test
    void equalsDiffusers() throws Exception {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var golden = Golden.pixels("tiny");
                var network = made(CONFIG)) {
            golden.assertClose("decoded", network.decode(golden.get("latents")), 2e-6);
            golden.assertClose("encoded", network.encode(golden.get("picture")), 2e-6);
            var codec = new TinyCodec(network);
            golden.assertClose("decoded", codec.decode(golden.get("latents"), Report.NONE), 2e-6);
            assertEquals(Shape.of(4, 3, 2), codec.latents(new Size(12, 8)));
            Tensor one = golden.get("picture").narrow(0, 1, 1);
            Tensor encoded =
                    codec.encode(one, Tensor.zeros(DType.FLOAT32, 2, 4, 3, 2), Report.NONE);
            Tensor expected = golden.get("encoded").narrow(0, 1, 1).repeatInterleave(2, 0);
            Golden.assertClose("encoded", expected, encoded, 2e-6);
        }
        assertEquals(before, Memory.liveTensors());
    }

    /** As pipelines of diffusers divide and shift latents before they decode. */
    @Test
    void latentsAreScaled() throws Exception {
        String scaling = CONFIG.replace("{", "{\"scaling_factor\": 0.5, \"shift_factor\": 0.25,");
        try (var scope = TensorScope.open();
                var golden = Golden.pixels("tiny");
                var network = made(scaling)) {
            Tensor latents = golden.get("latents").minus(0.25).times(0.5);
            golden.assertClose("decoded", network.decode(latents), 4e-6);
            Tensor encoded = network.encode(golden.get("picture"));
            golden.assertClose("encoded", encoded.dividedBy(0.5).plus(0.25), 4e-6);
        }
    }

    @Test
    void whatIsNotFiniteIsRefused() throws Exception {
        try (var scope = TensorScope.open();
                var network = made(CONFIG)) {
            Tensor broken =
                    Tensor.full(Shape.of(1, 4, 2, 2), Double.NaN, DType.FLOAT32, Device.CPU);
            assertThrows(
                    ModelException.class, () -> new TinyCodec(network).decode(broken, Report.NONE));
        }
    }

    @Test
    void shapesAreChecked() throws Exception {
        try (var scope = TensorScope.open();
                var network = made(CONFIG)) {
            assertRefused(
                    "[N, 4, H, W]", () -> network.decode(Tensor.zeros(DType.FLOAT32, 1, 3, 2, 2)));
            assertRefused(
                    "multiples of 4",
                    () -> network.encode(Tensor.zeros(DType.FLOAT32, 1, 3, 8, 6)));
        }
    }

    @Test
    void configsThatCantBeHonouredAreRefused() {
        assertUnsupported("upsample_fn", "\"nearest\"", "\"bilinear\"");
        assertUnsupported("upsampling_scaling_factor", "factor\": 2", "factor\": 4");
        assertUnsupported("num_decoder_blocks", "[2, 1, 1]", "[2, 1]");
        assertUnsupported("num_decoder_blocks, of which", "[6, 6, 6]", "[6, 6]");
        assertUnsupported("must all be the same", "[4, 4, 4]", "[4, 8, 8]");
        assertUnsupported("encoder_block_out_channels", "[4, 4, 4]", "[]");
        assertUnsupported("scaling_factor can't be 0", "{", "{\"scaling_factor\": 0,");
    }

    private static void assertUnsupported(String reason, String from, String to) {
        assertRefused(reason, () -> config(CONFIG.replace(from, to)));
    }

    private static void assertRefused(String reason, Runnable action) {
        var refused = assertThrows(IllegalArgumentException.class, action::run);
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }
}
