package dev.darkroom.models.vae;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.ModelException;
import dev.darkroom.models.family.Report;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;

import org.junit.jupiter.api.Test;

/** Rough pictures of latents. */
class LatentColoursTest {
    private static Tensor normal(long seed, long... shape) {
        try (var generator = new Generator(seed)) {
            return Tensor.randn(generator, shape);
        }
    }

    /** Latents that are a linear map of colours give them back exactly. */
    @Test
    void mapsThatAreLinearAreFound() {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open()) {
            Tensor mix = normal(1, 4, 3, 1, 1);
            Tensor shift = normal(2, 1, 4, 1, 1);
            var colours =
                    LatentColours.of(
                            2,
                            chart ->
                                    Ops.conv2d(Ops.averagePool(chart, 2), mix, null, 1, 0, 1)
                                            .plus(shift));
            Tensor picture = normal(3, 1, 3, 5, 7);
            Tensor latents = Ops.conv2d(picture, mix, null, 1, 0, 1).plus(shift);
            Tensor shown = colours.of(latents);
            assertEquals(picture.shape(), shown.shape());
            assertEquals(0, shown.minus(picture).abs().max().item(), 1e-4);
            assertThrows(
                    IllegalArgumentException.class,
                    () -> colours.of(Tensor.zeros(DType.FLOAT32, 1, 3, 5, 7)));
        }
        assertEquals(before, Memory.liveTensors());
    }

    /** No other map is nearer to the colours: the errors have nothing in common with latents. */
    @Test
    void theFitIsTheBest() {
        try (var scope = TensorScope.open()) {
            Tensor latents = normal(1, 1, 4, 16, 16);
            Tensor picture = normal(2, 1, 3, 16, 16);
            Tensor error = LatentColours.fit(latents, picture).of(latents).minus(picture);
            assertEquals(0, error.mean(false, 0, 2, 3).abs().max().item(), 1e-5);
            for (int channel = 0; channel < 4; channel++) {
                Tensor common = error.times(latents.narrow(1, channel, 1)).mean(false, 0, 2, 3);
                assertEquals(0, common.abs().max().item(), 1e-5);
            }
        }
    }

    /** Latents that are always the same say nothing, and still there is one map. */
    @Test
    void latentsWithoutVarianceHaveAMap() {
        try (var scope = TensorScope.open()) {
            Tensor picture = normal(2, 1, 3, 16, 16);
            Tensor same = Tensor.zeros(DType.FLOAT32, 1, 4, 16, 16);
            Tensor shown = LatentColours.fit(same, picture).of(same);
            Tensor mean = picture.mean(true, 2, 3);
            assertEquals(0, shown.minus(mean).abs().max().item(), 1e-5);
        }
    }

    private static AutoencoderKl autoencoder(int width) {
        AutoencoderKlConfig config =
                ConfigReader.of(
                        """
                        {"_class_name": "AutoencoderKL", "block_out_channels": [8, %d],
                         "layers_per_block": 1, "norm_num_groups": 2, "latent_channels": 4,
                         "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
                         "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]}
                        """
                                .formatted(width),
                        AutoencoderKlConfig::of);
        return Weights.random(1, DType.FLOAT32, Device.CPU, w -> new AutoencoderKl(w, config));
    }

    @Test
    void largeAutoencodersAreMappedAndSmallOnesDecode() {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var large = autoencoder(400);
                var small = autoencoder(16)) {
            assertFalse(AutoencoderCodec.isSmall(large));
            assertTrue(AutoencoderCodec.isSmall(small));
            Tensor latents = normal(5, 1, 4, 6, 4);
            try (var codec = new AutoencoderCodec(large, Tiling.OFF)) {
                Tensor shown = codec.quickPreview(latents, Report.NONE);
                assertEquals(Shape.of(1, 3, 6, 4), shown.shape());
                var expected =
                        LatentColours.of(2, chart -> large.scaled(large.encode(chart).mean()));
                assertTrue(shown.contentEquals(expected.of(latents)));
                assertTrue(shown.contentEquals(codec.quickPreview(latents, Report.NONE)));
                assertEquals(
                        Shape.of(1, 3, 12, 8),
                        codec.preview(latents, Report.NONE).shape(),
                        "whole");
            }
            try (var codec = new AutoencoderCodec(small, Tiling.OFF)) {
                Tensor shown = codec.quickPreview(latents, Report.NONE);
                assertTrue(shown.contentEquals(codec.decode(latents, Report.NONE)));
            }
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void brokenWeightsAreNoColours() {
        try (var scope = TensorScope.open();
                var large = autoencoder(400);
                var codec = new AutoencoderCodec(large, Tiling.OFF)) {
            large.parameters().get("encoder.conv_out.bias").value().fillInPlace(Double.NaN);
            assertThrows(
                    ModelException.class,
                    () -> codec.quickPreview(normal(5, 1, 4, 6, 4), Report.NONE));
        }
    }
}
