package dev.darkroom.training.objective;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.GradientNorm;
import dev.darkroom.runtime.optim.ParameterGroup;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Objects;
import java.util.Random;

/** The loss against PyTorch's, by {@code tests/oracle/autoencoder_loss.py}, and what it learns. */
class AutoencoderLossTest {
    private static final Path GOLDEN =
            Path.of(
                    System.getProperty("basedir", "."),
                    "../tests/oracle/autoencoder_loss.safetensors");
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

    private AutoencoderKl load(Safetensors golden) throws IOException {
        var config =
                AutoencoderKlConfig.read(
                        Files.writeString(
                                folder.resolve("config.json"), golden.metadata().get("config")));
        var weights = new HashMap<String, Tensor>();
        for (String key : golden.names()) {
            if (key.startsWith("weights.")) {
                weights.put(key.substring("weights.".length()), golden.tensor(key));
            }
        }
        return AutoencoderKl.load(WeightSource.of("golden", weights), config, null, Device.CPU);
    }

    @Test
    void lossAndGradientsArePyTorchs() throws IOException {
        try (var golden = Safetensors.open(GOLDEN, LoadMode.MAPPED);
                var autoencoder = load(golden);
                var mode = Mode.GRAD.enter();
                var generator = new Generator(5)) {
            autoencoder.train();
            var loss =
                    new AutoencoderLoss(new AutoencoderLoss.Options(1, 0.7, 0.5, 0.3))
                            .loss(autoencoder, golden.tensor("images"), generator);
            Golden.assertClose("loss", golden.tensor("loss"), loss.detach(), BOUND);
            loss.backward();
            int compared = 0;
            for (var name : golden.names()) {
                if (name.startsWith("gradients.")) {
                    var key = name.substring("gradients.".length());
                    var parameter = autoencoder.parameters().get(key);
                    var gradient = Objects.requireNonNull(parameter.value().grad(), key);
                    Golden.assertClose(key, golden.tensor(name), gradient, BOUND);
                    compared++;
                }
            }
            assertEquals(7, compared);
            autoencoder.eval();
        }
    }

    @Test
    void measuresTheLatentsAndWritesTheConfig() throws IOException {
        try (var golden = Safetensors.open(GOLDEN, LoadMode.MAPPED);
                var autoencoder = load(golden)) {
            var images = golden.tensor("images");
            var halves = List.of(images.narrow(0, 0, 1), images.narrow(0, 1, 1));
            var measured = LatentScale.measure(autoencoder, halves);
            assertEquals(golden.tensor("scale").item(), measured.scale(), 1e-5 * measured.scale());
            assertEquals(golden.tensor("shift").item(), measured.shift(), 1e-6);

            var config = folder.resolve("config.json");
            measured.writeTo(config);
            var read = AutoencoderKlConfig.read(config);
            assertEquals(measured.scale(), read.scalingFactor());
            assertEquals(measured.shift(), read.shiftFactor());
            assertEquals(List.of(4, 8), read.blockOutChannels());
            assertEquals(
                    11, new ObjectMapper().readTree(config.toFile()).size(), "others are kept");
            var none =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> LatentScale.measure(autoencoder, List.of()));
            assertEquals("there are no pictures to measure latents of", none.getMessage());
        }
    }

    @Test
    void refusesWeightsThatMeanNothing() {
        assertThrows(IllegalArgumentException.class, () -> new AutoencoderLoss.Options(0, 0, 1, 0));
        assertThrows(
                IllegalArgumentException.class, () -> new AutoencoderLoss.Options(1, 0, -1, 0));
        assertThrows(
                IllegalArgumentException.class,
                () -> new AutoencoderLoss.Options(1, 0, 0, Double.NaN));
    }

    private static AutoencoderKlConfig tiny() {
        return AutoencoderKlConfig.builder()
                .blockOutChannels(List.of(16))
                .normGroups(4)
                .scalingFactor(1)
                .forceUpcast(false)
                .midBlockAttention(false)
                .build();
    }

    /** Rectangles of one colour on another, of eight colours, {@code [N,3,8,8]}. */
    private static Tensor pictures(Random random, int count) {
        var pixels = new float[count * 3 * 8 * 8];
        for (int i = 0; i < count; i++) {
            int left = random.nextInt(1, 5);
            int top = random.nextInt(1, 5);
            int right = left + random.nextInt(2, 5);
            int bottom = top + random.nextInt(2, 5);
            for (int c = 0; c < 3; c++) {
                float inside = random.nextBoolean() ? 0.8f : -0.8f;
                float outside = random.nextBoolean() ? 0.8f : -0.8f;
                for (int y = 0; y < 8; y++) {
                    for (int x = 0; x < 8; x++) {
                        boolean in = x >= left && x < right && y >= top && y < bottom;
                        pixels[((i * 3 + c) * 8 + y) * 8 + x] = in ? inside : outside;
                    }
                }
            }
        }
        return Tensor.copyOf(pixels, count, 3, 8, 8);
    }

    /** In decibels, of pictures from −1 to 1 decoded from their latents' means. */
    private static double psnr(AutoencoderKl autoencoder, Tensor images) {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            var decoded = autoencoder.decode(autoencoder.encode(images).mode()).clamp(-1, 1);
            return -10 * Math.log10(decoded.minus(images).square().mean().item() / 4);
        }
    }

    @Test
    void learnsToReconstructPicturesItHasNotSeen() {
        var random = new Random(3);
        var unseen = pictures(random, 64);
        var loss = new AutoencoderLoss(AutoencoderLoss.Options.DEFAULTS);
        try (var autoencoder =
                        Weights.random(
                                1, DType.FLOAT32, Device.CPU, w -> new AutoencoderKl(w, tiny()));
                var generator = new Generator(2)) {
            double untrained = psnr(autoencoder, unseen);
            autoencoder.train();
            try (var optimizer =
                    new AdamW(
                            List.of(ParameterGroup.of(autoencoder, 5e-3, 0)),
                            new AdamW.Options(0.9, 0.99, 1e-8))) {
                int steps = 500;
                for (int step = 0; step < steps; step++) {
                    try (var inner = TensorScope.open();
                            var mode = Mode.GRAD.enter()) {
                        loss.loss(autoencoder, pictures(random, 16), generator).backward();
                    }
                    GradientNorm.clip(autoencoder.trainable().values(), 1);
                    optimizer.step(0.5 + 0.5 * Math.cos(Math.PI * step / steps));
                    optimizer.zeroGrad();
                }
            }
            autoencoder.eval();
            double trained = psnr(autoencoder, unseen);
            assertTrue(untrained < 10, () -> "untrained " + untrained + " dB");
            assertTrue(trained > 20, () -> "trained " + trained + " dB");
            var scale = LatentScale.measure(autoencoder, List.of(unseen));
            assertTrue(scale.scale() > 0.1 && scale.scale() < 10, scale::toString);
        }
    }
}
