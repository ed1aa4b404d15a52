package dev.darkroom.models.vae;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.Report;
import dev.darkroom.models.family.Size;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.InsufficientMemoryException;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Path;

/** Decoding in tiles against diffusers, which {@code tests/oracle/tiling.py} asked. */
class TilesTest {
    private static final double BOUND = 1e-5;

    private static AutoencoderKl vae() throws IOException {
        Path part = Golden.part("pixart_alpha", "vae");
        var config = AutoencoderKlConfig.read(part.resolve("config.json"));
        Path weights = WeightFiles.find(part, WeightFiles.DIFFUSERS, null).path();
        try (var file = Safetensors.open(weights, LoadMode.READ)) {
            return AutoencoderKl.load(file.weights(), config, DType.FLOAT32, Device.CPU);
        }
    }

    @Test
    void tilesAreDecodedAndBlendedAsInDiffusers() throws IOException {
        long live = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var vae = vae();
                var golden = Golden.file("tiling.safetensors")) {
            Tensor latents = golden.get("latents");
            Tensor tiled = Tiles.decoding(vae, 8 * vae.config().downsampling()).run(latents);
            golden.assertClose("tiled", tiled, BOUND);
            Tensor whole = vae.decode(latents);
            golden.assertClose("whole", whole, BOUND);
            double ours = tiled.minus(whole).abs().max().item();
            double theirs = golden.get("tiled").minus(golden.get("whole")).abs().max().item();
            assertTrue(ours > 0 && ours <= theirs + BOUND, () -> ours + " and " + theirs);
        }
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void aPictureIsEncodedInTilesAsInDiffusers() throws IOException {
        try (var scope = TensorScope.open();
                var vae = vae();
                var golden = Golden.file("tiling.safetensors")) {
            Tensor picture = golden.get("whole");
            int tile = 8 * vae.config().downsampling();
            golden.assertClose("encoded", Tiles.encoding(vae, tile).run(picture), BOUND);
            Tensor noise = Tensor.zeros(DType.FLOAT32, golden.get("latents").shape().toArray());
            Tensor mean = golden.get("encoded").chunk(2, 1).getFirst();
            Tensor latents =
                    new AutoencoderCodec(vae, Tiling.ON, tile).encode(picture, noise, Report.NONE);
            double difference = vae.scaled(mean).minus(latents).abs().max().item();
            assertTrue(difference < BOUND, () -> "off by " + difference);
        }
    }

    @Test
    void latentsOfOneTileAreTheWhole() throws IOException {
        try (var scope = TensorScope.open();
                var vae = vae();
                var golden = Golden.file("tiling.safetensors")) {
            Tensor latents = golden.get("latents");
            assertTrue(
                    Tiles.decoding(vae, 32 * vae.config().downsampling())
                            .run(latents)
                            .contentEquals(vae.decode(latents)));
        }
    }

    /** What is larger than a tile is tiled if that is on, or the whole does not fit. */
    @Test
    void theWholeIsDecodedWhereItFits() throws IOException {
        try (var scope = TensorScope.open();
                var vae = vae();
                var golden = Golden.file("tiling.safetensors")) {
            Tensor latents = vae.scaled(golden.get("latents"));
            int tile = 8 * vae.config().downsampling();
            Tensor whole = decoded(new AutoencoderCodec(vae, Tiling.OFF, tile), latents);
            Tensor tiled = decoded(new AutoencoderCodec(vae, Tiling.ON, tile), latents);
            assertFalse(whole.contentEquals(tiled));
            var auto = new AutoencoderCodec(vae, Tiling.AUTO, tile);
            assertTrue(whole.contentEquals(decoded(auto, latents)));
            System.setProperty(MemoryBudget.PROPERTY, "64k");
            try {
                assertTrue(tiled.contentEquals(decoded(auto, latents)));
                assertTrue(
                        auto.decodingBytes(new Size(1024, 1024))
                                < new AutoencoderCodec(vae, Tiling.OFF, tile)
                                        .decodingBytes(new Size(1024, 1024)));
            } finally {
                System.clearProperty(MemoryBudget.PROPERTY);
            }
        }
    }

    private static Tensor decoded(AutoencoderCodec codec, Tensor latents) {
        return codec.decode(latents, Report.NONE);
    }

    /** 2,048×2,048 pixels where the whole would need many times the memory that there is. */
    @Test
    void aLargePictureFitsInLittleMemory() throws IOException {
        var config =
                ConfigReader.of(
                        """
                        {"_class_name": "AutoencoderKL", "block_out_channels": [8, 8, 8, 8],
                         "layers_per_block": 1, "norm_num_groups": 2, "latent_channels": 4,
                         "mid_block_add_attention": false,
                         "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D",
                             "DownEncoderBlock2D", "DownEncoderBlock2D"],
                         "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D",
                             "UpDecoderBlock2D", "UpDecoderBlock2D"]}
                        """,
                        AutoencoderKlConfig::of);
        System.setProperty(MemoryBudget.PROPERTY, "256m");
        try (var scope = TensorScope.open();
                var vae =
                        Weights.random(
                                1, DType.FLOAT32, Device.CPU, w -> new AutoencoderKl(w, config))) {
            var size = new Size(2048, 2048);
            var codec = new AutoencoderCodec(vae, Tiling.AUTO);
            long whole = new AutoencoderCodec(vae, Tiling.OFF).decodingBytes(size);
            assertTrue(whole > 256L << 20 && codec.decodingBytes(size) <= 256L << 20);
            Tensor picture = decoded(codec, Tensor.zeros(DType.FLOAT32, 1, 4, 256, 256));
            assertEquals(2048, picture.size(3));
            Tensor noise = Tensor.zeros(DType.FLOAT32, 1, 4, 256, 256);
            assertEquals(256, codec.encode(picture, noise, Report.NONE).size(3));
            assertThrows(
                    InsufficientMemoryException.class,
                    () -> MemoryBudget.current().require(whole, "the whole"));
        } finally {
            System.clearProperty(MemoryBudget.PROPERTY);
        }
    }
}
