package dev.darkroom.models.vae;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.Finite;
import dev.darkroom.models.family.ModelException;
import dev.darkroom.models.family.Report;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Weights;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Autoencoders of 16 bits whose activations do not fit in them. */
class AutoencoderCodecTest {
    private static final AutoencoderKlConfig CONFIG =
            ConfigReader.of(
                    """
                    {"_class_name": "AutoencoderKL", "block_out_channels": [8, 16],
                     "layers_per_block": 1, "norm_num_groups": 2, "latent_channels": 4,
                     "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
                     "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"]}
                    """,
                    AutoencoderKlConfig::of);

    /**
     * Weights that are float16 numbers.
     *
     * @param factor of the decoder's first layer, after which all is normalised
     */
    private static Map<String, Tensor> weights(double factor) {
        Map<String, Tensor> weights = new LinkedHashMap<>();
        try (var drawn =
                Weights.random(1, DType.FLOAT32, Device.CPU, w -> new AutoencoderKl(w, CONFIG))) {
            drawn.state()
                    .forEach(
                            (name, value) -> {
                                boolean first = name.startsWith("decoder.conv_in.");
                                Tensor scaled = first ? value.times(factor) : value;
                                weights.put(name, scaled.to(DType.FLOAT16).copy());
                            });
        }
        return weights;
    }

    private static AutoencoderKl load(Map<String, Tensor> weights, DType dtype) throws IOException {
        return Weights.load(
                WeightSource.of("vae", weights),
                dtype,
                Device.CPU,
                w -> new AutoencoderKl(w, CONFIG));
    }

    private static Tensor latents() {
        try (var generator = new Generator(3)) {
            return Tensor.randn(generator, 1, 4, 4, 4);
        }
    }

    /** Collects warnings. */
    private static final class Warned implements Report {
        private final List<String> warnings = new ArrayList<>();

        @Override
        public void used(String name, Object value) {}

        @Override
        public void warn(String warning) {
            if (!warnings.contains(warning)) {
                warnings.add(warning);
            }
        }

        @Override
        public void traced(String name, Tensor value) {}
    }

    @Test
    void whatOverflowsIsDecodedAgainInFloat32() throws IOException {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open()) {
            var weights = weights(50_000);
            try (var narrow = load(weights, DType.FLOAT16);
                    var wide = load(weights, DType.FLOAT32);
                    var decoder = new AutoencoderCodec(narrow, Tiling.AUTO);
                    var expected = new AutoencoderCodec(wide, Tiling.AUTO)) {
                assertFalse(Finite.is(narrow.decode(latents().to(DType.FLOAT16))), "overflows");
                var notes = new Warned();
                for (int twice = 0; twice < 2; twice++) {
                    Tensor image = decoder.decode(latents(), notes);
                    assertTrue(image.contentEquals(expected.decode(latents(), Report.NONE)));
                }
                assertEquals(1, notes.warnings.size());
                String warning = notes.warnings.getFirst();
                assertTrue(
                        warning.startsWith("decoding overflowed in float16 and was done again"),
                        warning);
            }
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void whatFitsIsLeftIn16Bits() throws IOException {
        try (var scope = TensorScope.open();
                var narrow = load(weights(1), DType.FLOAT16);
                var decoder = new AutoencoderCodec(narrow, Tiling.AUTO)) {
            var notes = new Warned();
            Tensor image = decoder.decode(latents(), notes);
            Tensor z = narrow.unscaled(latents().to(DType.FLOAT16));
            assertTrue(image.contentEquals(narrow.decode(z).to(DType.FLOAT32)));
            assertEquals(List.of(), notes.warnings);
        }
    }

    @Test
    void whatIsNotFiniteInFloat32EitherIsNoPicture() throws IOException {
        try (var scope = TensorScope.open()) {
            var weights = weights(1);
            weights.computeIfPresent(
                    "decoder.conv_out.bias", (name, value) -> value.times(Double.NaN));
            for (DType dtype : List.of(DType.FLOAT16, DType.BFLOAT16, DType.FLOAT32)) {
                try (var vae = load(weights, dtype);
                        var decoder = new AutoencoderCodec(vae, Tiling.AUTO)) {
                    var error =
                            assertThrows(
                                    ModelException.class,
                                    () -> decoder.decode(latents(), Report.NONE));
                    assertTrue(
                            error.getMessage()
                                    .startsWith("192 of 192 numbers in the decoded picture are"),
                            error.getMessage());
                }
            }
        }
    }
}
