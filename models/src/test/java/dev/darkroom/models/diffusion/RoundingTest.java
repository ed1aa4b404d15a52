package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.diffusion.diffusers.SchedulerArguments;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Solvers in float32 against themselves in float64, with the same network, start and noise: what
 * rounding adds up to. Coefficients are float64 in both.
 */
class RoundingTest {
    private static final String ZERO_SNR =
            "\"beta_start\": 0.00085, \"beta_end\": 0.012, \"beta_schedule\": \"scaled_linear\","
                    + " \"rescale_betas_zero_snr\": true, \"timestep_spacing\": \"trailing\","
                    + " \"prediction_type\": \"v_prediction\", \"clip_sample\": false";
    private static final String CLIPPED = "\"prediction_type\": \"v_prediction\"";

    @TempDir Path folder;

    static Stream<Arguments> configurations() {
        Stream<Arguments> plain =
                Scheduler.names().stream()
                        .filter(name -> !name.startsWith("flow"))
                        .flatMap(
                                name ->
                                        Stream.of(
                                                Arguments.of(name, "", 20, 0, 2e-6),
                                                Arguments.of(name, ZERO_SNR, 10, 0, 1e-6)));
        Stream<Arguments> clipped =
                Stream.of(
                        Arguments.of("ddim", CLIPPED, 999, 0, 5e-6),
                        Arguments.of("ddim", CLIPPED, 999, 0.3, 5e-6),
                        Arguments.of("ddim", CLIPPED, 999, 1, 5e-6));
        return Stream.concat(plain, clipped);
    }

    @ParameterizedTest(name = "{0}, {1}, {2} steps, eta {3}")
    @MethodSource("configurations")
    void isSmall(String sampler, String options, int steps, double eta, double bound)
            throws IOException {
        Path file = folder.resolve("scheduler_config.json");
        Files.writeString(
                file,
                "{\"_class_name\": \"DDPMScheduler\"%s}"
                        .formatted(options.isEmpty() ? "" : ", " + options));
        Scheduler scheduler = Scheduler.read(file, sampler);
        SamplingPlan plan = scheduler.plan(steps, SchedulerArguments.NONE.withEta(eta));
        Preconditioning prediction = scheduler.process().prediction();
        try (var scope = TensorScope.open()) {
            List<double[]> rounded = run(plan, prediction, DType.FLOAT32);
            List<double[]> exact = run(plan, prediction, DType.FLOAT64);
            double difference =
                    IntStream.range(0, exact.size())
                            .mapToDouble(i -> difference(rounded.get(i), exact.get(i)))
                            .max()
                            .orElseThrow();
            assertTrue(difference <= bound, () -> difference + " above " + bound);
        }
    }

    /** The largest, relative to the largest magnitude. */
    private static double difference(double[] rounded, double[] exact) {
        double difference = 0;
        double magnitude = 0;
        for (int i = 0; i < exact.length; i++) {
            difference = Math.max(difference, Math.abs(rounded[i] - exact[i]));
            magnitude = Math.max(magnitude, Math.abs(exact[i]));
        }
        return difference / magnitude;
    }

    /** The latents after each evaluation. */
    private static List<double[]> run(SamplingPlan plan, Preconditioning prediction, DType dtype) {
        try (var start = new Generator(1);
                var generator = new Generator(2)) {
            Shape shape = Shape.of(2, 3, 4, 4);
            Tensor x = Tensor.randn(shape, start, DType.FLOAT32, Device.CPU).to(dtype);
            Tensor c = Tensor.randn(shape, start, DType.FLOAT32, Device.CPU).to(dtype).times(0.3);
            Network network =
                    (latents, t) -> latents.times(0.35).plus(-0.2 * t.item() / 1000).plus(c);
            NoiseSource noise =
                    (of, type, device) ->
                            Tensor.randn(of, generator, DType.FLOAT32, device).to(type);
            List<double[]> latents = new ArrayList<>();
            plan.sample(
                    new NetworkDenoiser(network, prediction),
                    x.times(plan.initialScale()),
                    noise,
                    step -> latents.add(step.latents().toDoubleArray()));
            return latents;
        }
    }
}
