package dev.darkroom.training.objective;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Solvers;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.testing.Golden;
import dev.darkroom.training.objective.ConsistencyModel.Draw;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;

class ConsistencyModelTest {
    private static final ConsistencyModel MODEL = new ConsistencyModel(Distance.SQUARED);

    @ParameterizedTest
    @ValueSource(strings = {"cd", "ct", "ict"})
    void lossAndGradients(String name) throws Exception {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var mode = Mode.GRAD.enter();
                var golden = Golden.distillation(name)) {
            var student = TinyNetwork.of(golden, "student", true);
            var target = TinyNetwork.of(golden, "target", false);
            double[] sigmas = MODEL.sigmas(18);
            Tensor clean = golden.get("clean");
            var draw = new Draw(golden.get("indices"), golden.get("noise"));
            Tensor loss =
                    switch (name) {
                        case "cd" -> {
                            var teacher = TinyNetwork.of(golden, "teacher", false);
                            yield MODEL.distillation(
                                    student::forward,
                                    target::forward,
                                    teacher::forward,
                                    clean,
                                    sigmas,
                                    draw);
                        }
                        case "ct" ->
                                MODEL.training(
                                        student::forward,
                                        target::forward,
                                        clean,
                                        sigmas,
                                        draw,
                                        false);
                        default ->
                                new ConsistencyModel(Distance.pseudoHuber(0.03))
                                        .training(
                                                student::forward,
                                                student::forward,
                                                clean,
                                                sigmas,
                                                draw,
                                                true);
                    };
            golden.assertClose("loss", loss, 1e-5);
            loss.backward();
            student.assertGradients(golden, 1e-5);
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void levels() throws Exception {
        try (var golden = Golden.distillation("cm");
                var expected = golden.get("sigmas")) {
            assertArrayEquals(expected.toDoubleArray(), MODEL.sigmas(18), 1e-9);
        }
        assertThrows(IllegalArgumentException.class, () -> MODEL.sigmas(1));
        assertEquals(11, ConsistencyModel.levelsAt(0, 800, 10, 1280));
        assertEquals(21, ConsistencyModel.levelsAt(100, 800, 10, 1280));
        assertEquals(1281, ConsistencyModel.levelsAt(799, 800, 10, 1280));
    }

    @Test
    void multistepSampling() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.distillation("cm")) {
            var network = TinyNetwork.of(golden, "student", false);
            Iterator<Tensor> fresh = golden.get("fresh").unbind(0).iterator();
            NoiseSource noise = (shape, dtype, device) -> fresh.next();
            List<NoiseLevel> levels =
                    Stream.of(80.0, 10.0, 0.7, 0.0)
                            .map(sigma -> NoiseLevel.varianceExploding(sigma, 0))
                            .toList();
            Tensor sample =
                    Solvers.consistency(
                            MODEL.denoiser(network::forward),
                            golden.get("x"),
                            levels,
                            0.002,
                            noise,
                            StepListener.NONE);
            golden.assertClose("sample", sample, 1e-5);
        }
    }

    @Test
    void drawsPairsOfLevels() {
        try (var scope = TensorScope.open();
                var generator = new Generator(3)) {
            Tensor clean = Tensor.randn(generator, 20_000, 1);
            long[] uniform = MODEL.uniform(clean, 18, generator).indices().toLongArray();
            assertEquals(17, Arrays.stream(uniform).distinct().count());
            double[] sigmas = MODEL.sigmas(18);
            long[] normal =
                    MODEL.logNormal(clean, sigmas, -1.1, 2, generator).indices().toLongArray();
            assertEquals(0, Arrays.stream(normal).min().orElseThrow());
            // E[ln σ] of the cleaner level lies below the mean by less than an interval.
            double mean = Arrays.stream(normal).mapToDouble(i -> Math.log(sigmas[(int) i])).sum();
            assertEquals(-1.4, mean / normal.length, 0.3);
        }
    }
}
