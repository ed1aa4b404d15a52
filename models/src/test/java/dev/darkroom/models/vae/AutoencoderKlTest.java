package dev.darkroom.models.vae;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.WeightFiles;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The autoencoder against diffusers'. */
class AutoencoderKlTest {
    private static final Path TESTS = Path.of(System.getProperty("basedir", "."), "..", "tests");

    /** Of the largest difference to the largest magnitude, in float32. */
    private static final double BOUND = 1e-5;

    @TempDir Path folder;

    private final long before = Memory.liveTensors();
    private TensorScope scope;

    @BeforeEach
    void open() {
        scope = TensorScope.open();
    }

    @AfterEach
    void close() {
        scope.close();
        assertEquals(before, Memory.liveTensors());
    }

    /** Small models with their weights, by {@code tests/oracle/vae.py}. */
    private static Safetensors golden() throws IOException {
        return Safetensors.open(TESTS.resolve("oracle/vae.safetensors"), LoadMode.MAPPED);
    }

    private AutoencoderKl load(Safetensors golden, String name) throws IOException {
        var config =
                AutoencoderKlConfig.read(
                        Files.writeString(
                                folder.resolve("config.json"), golden.metadata().get(name)));
        var weights = new HashMap<String, Tensor>();
        String prefix = name + ".weights.";
        for (String key : golden.names()) {
            if (key.startsWith(prefix)) {
                weights.put(key.substring(prefix.length()), golden.tensor(key));
            }
        }
        return AutoencoderKl.load(WeightSource.of(name, weights), config, null, Device.CPU);
    }

    private static void assertClose(Tensor expected, Tensor actual) {
        assertEquals(expected.shape(), actual.shape());
        double difference = expected.minus(actual).abs().max().item();
        double relative = difference / expected.abs().max().item();
        assertTrue(relative <= BOUND, () -> "relative difference " + relative);
    }

    @ParameterizedTest
    @ValueSource(strings = {"attention_in_levels", "bare", "old_names"})
    void encodesAsTheReference(String name) throws IOException {
        try (var golden = golden();
                var vae = load(golden, name);
                var generator = new Generator(5)) {
            long live = Memory.liveTensors();
            var images = golden.tensor(name + ".images");
            var posterior = vae.encode(images);
            assertEquals(live + 3, Memory.liveTensors(), "images, mean and log variance");
            assertClose(golden.tensor(name + ".mean"), posterior.mean());
            assertClose(golden.tensor(name + ".mean"), posterior.mode());
            assertClose(golden.tensor(name + ".logvar"), posterior.logVariance());
            assertClose(golden.tensor(name + ".sample"), posterior.sample(generator));
            assertClose(golden.tensor(name + ".kl"), posterior.kl());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"attention_in_levels", "bare", "old_names"})
    void decodesAsTheReference(String name) throws IOException {
        try (var golden = golden();
                var vae = load(golden, name)) {
            long live = Memory.liveTensors();
            var latents = golden.tensor(name + ".latents");
            var images = vae.decode(latents);
            assertEquals(live + 2, Memory.liveTensors(), "latents and images");
            assertClose(golden.tensor(name + ".decoded"), images);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"pixart_alpha", "pixart_sigma", "pixart_lcm"})
    void decodesTheLastLatentsOfACase(String name) throws IOException {
        Path folder = TESTS.resolve("cases").resolve(name);
        Path part = folder.resolve("model/vae");
        var config = AutoencoderKlConfig.read(part.resolve("config.json"));
        var files = WeightFiles.find(part, WeightFiles.DIFFUSERS, null);
        try (var weights = Safetensors.open(files.path(), LoadMode.MAPPED);
                var expected =
                        Safetensors.open(folder.resolve("expected.safetensors"), LoadMode.MAPPED);
                var vae =
                        AutoencoderKl.load(weights.weights(), config, DType.FLOAT32, Device.CPU)) {
            var image = vae.decode(vae.unscaled(expected.tensor("latents_03")));
            assertClose(
                    expected.tensor("image"),
                    image.permute(0, 2, 3, 1).dividedBy(2).plus(0.5).clamp(0, 1));
        }
    }

    private static AutoencoderKl random(AutoencoderKlConfig config, DType dtype) {
        return Weights.random(3, dtype, Device.CPU, w -> new AutoencoderKl(w, config));
    }

    private AutoencoderKlConfig config(String json) throws IOException {
        return AutoencoderKlConfig.read(Files.writeString(folder.resolve("config.json"), json));
    }

    /** As diffusers' pipelines for Stable Diffusion XL do: z · std / scale + mean, and back. */
    @Test
    void aMeanAndADeviationOfEachChannelAreUsed() throws IOException {
        var config =
                config(
                        "{\"block_out_channels\": [32], \"latent_channels\": 2,"
                                + " \"scaling_factor\": 0.5, \"latents_mean\": [-1, 2],"
                                + " \"latents_std\": [8, 4]}");
        try (var vae = random(config, DType.FLOAT32)) {
            var latents = Tensor.copyOf(new float[] {1, 2, 3, 4}, 1, 2, 1, 2);
            var unscaled = vae.unscaled(latents);
            assertArrayEquals(new float[] {15, 31, 26, 34}, unscaled.toFloatArray());
            assertArrayEquals(latents.toFloatArray(), vae.scaled(unscaled).toFloatArray());
        }
    }

    /** The oldest checkpoints: other names, and 1×1 convolutions; and what training left. */
    @Test
    void attentionMayBeStoredAsConvolutions() throws IOException {
        var config = config("{\"block_out_channels\": [32]}");
        try (var vae = random(config, DType.FLOAT32)) {
            var old = new HashMap<String, Tensor>();
            vae.state()
                    .forEach(
                            (name, value) -> {
                                String before =
                                        name.replace(".to_q.", ".query.")
                                                .replace(".to_k.", ".key.")
                                                .replace(".to_v.", ".value.")
                                                .replace(".to_out.0.", ".proj_attn.");
                                boolean isMatrix = !before.equals(name) && value.rank() == 2;
                                old.put(
                                        before,
                                        isMatrix ? value.unsqueeze(-1).unsqueeze(-1) : value);
                            });
            assertEquals(
                    16, old.keySet().stream().filter(n -> !vae.state().containsKey(n)).count());
            old.put("loss.logvar", Tensor.zeros(DType.FLOAT32, 1));
            old.put("loss.discriminator.main.0.weight", Tensor.zeros(DType.FLOAT32, 2, 2));
            old.put("logvar", Tensor.zeros(DType.FLOAT32, 1));
            var warnings = Warnings.collected();
            try (var loaded = load(old, config, warnings)) {
                assertEquals(vae.state().keySet(), loaded.state().keySet());
                vae.state()
                        .forEach(
                                (name, value) ->
                                        assertTrue(
                                                value.contentEquals(loaded.state().get(name)),
                                                name));
            }
            assertEquals(List.of(), warnings.list());
            String both = "decoder.mid_block.attentions.0.to_q.weight";
            old.put(both, vae.state().get(both));
            load(old, config, warnings).close();
            assertEquals(1, warnings.list().size());
            assertTrue(
                    warnings.list().getFirst().contains("attentions.0.query.weight"),
                    warnings.list().getFirst());
        }
    }

    private static AutoencoderKl load(
            Map<String, Tensor> tensors, AutoencoderKlConfig config, Warnings warnings)
            throws IOException {
        var source = WeightSource.of("old", tensors);
        return AutoencoderKl.load(source, config, null, Device.CPU, warnings);
    }

    @Test
    void scalingAndShiftInvertEachOther() throws IOException {
        var config =
                config(
                        "{\"block_out_channels\": [32], \"scaling_factor\": 0.5,"
                                + " \"shift_factor\": 3}");
        try (var vae = random(config, DType.FLOAT32)) {
            var latents = Tensor.full(Shape.of(1), 7, DType.FLOAT32, Device.CPU);
            assertEquals(2, vae.scaled(latents).item());
            assertEquals(17, vae.unscaled(latents).item());
        }
    }

    @Test
    void computesInBfloat16() throws IOException {
        try (var vae = random(config("{\"block_out_channels\": [32]}"), DType.BFLOAT16)) {
            var image = vae.decode(Tensor.ones(DType.BFLOAT16, 1, 4, 2, 2));
            assertEquals(DType.BFLOAT16, image.dtype());
            assertTrue(image.isFinite().all().item() == 1);
        }
    }

    @Test
    void wrongShapesAreRefused() throws IOException {
        var config =
                config(
                        "{\"block_out_channels\": [32, 32],"
                                + " \"down_block_types\": [\"DownEncoderBlock2D\","
                                + " \"DownEncoderBlock2D\"], \"up_block_types\":"
                                + " [\"UpDecoderBlock2D\", \"UpDecoderBlock2D\"]}");
        try (var vae = random(config, DType.FLOAT32)) {
            var error =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> vae.decode(Tensor.ones(DType.FLOAT32, 1, 3, 2, 2)));
            assertEquals(
                    "decode: shape must be [N, 4, H, W] with sizes from 1, not [1, 3, 2, 2]",
                    error.getMessage());
            error =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> vae.encode(Tensor.ones(DType.FLOAT32, 1, 3, 5, 4)));
            assertEquals(
                    "encode: height and width of [1, 3, 5, 4] must be multiples of 2",
                    error.getMessage());
        }
    }
}
