package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;

import java.util.List;
import java.util.stream.IntStream;

class NoiseScheduleTest {
    private static final int T = 1000;

    private static double[] alphaBars(NoiseSchedule schedule) {
        return IntStream.range(0, schedule.timesteps()).mapToDouble(schedule::alphaBar).toArray();
    }

    /** Against libtorch's own linspace and cumprod. */
    @Test
    void linearSchedulesEqualPyTorchs() {
        try (var scope = TensorScope.open()) {
            Tensor linear = Tensor.linspace(0.0001, 0.02, T, DType.FLOAT32);
            Tensor roots = Tensor.linspace(Math.sqrt(0.00085), Math.sqrt(0.012), T, DType.FLOAT32);
            assertArrayEquals(
                    products(linear), alphaBars(NoiseSchedule.linear(T, 0.0001, 0.02)), 3e-7);
            assertArrayEquals(
                    products(roots.square()),
                    alphaBars(NoiseSchedule.scaledLinear(T, 0.00085, 0.012)),
                    3e-7);
        }
    }

    private static double[] products(Tensor betas) {
        return betas.subtractedFrom(1).cumprod(0).toDoubleArray();
    }

    @Test
    void theCosineScheduleFollowsItsCosine() {
        NoiseSchedule schedule = NoiseSchedule.cosine(T);
        double start = Math.pow(Math.cos(0.008 / 1.008 * Math.PI / 2), 2);
        for (int t : new int[] {0, 100, 500, 900, 990}) {
            double u = (t + 1.0) / T;
            double expected = Math.pow(Math.cos((u + 0.008) / 1.008 * Math.PI / 2), 2) / start;
            assertEquals(expected, schedule.alphaBar(t), 2e-5, "at " + t);
        }
    }

    @Test
    void shiftedSnrIsDivided() {
        NoiseSchedule schedule = NoiseSchedule.scaledLinear(1000, 0.00085, 0.012);
        NoiseSchedule shifted = schedule.withShiftedSnr(3);
        for (int t = 0; t < 1000; t += 111) {
            double sigma = schedule.sigma(t) * Math.sqrt(3);
            assertEquals(sigma, shifted.sigma(t), 1e-4 * sigma);
            assertEquals(schedule.alphaBar(t), schedule.withShiftedSnr(1).alphaBar(t));
        }
        for (double wrong : new double[] {0, -1, Double.NaN, Double.POSITIVE_INFINITY}) {
            assertThrows(IllegalArgumentException.class, () -> schedule.withShiftedSnr(wrong));
        }
    }

    @Test
    void zeroTerminalSnrIsZeroAndKeepsTheStart() {
        NoiseSchedule schedule = NoiseSchedule.scaledLinear(T, 0.00085, 0.012);
        NoiseSchedule rescaled = schedule.withZeroTerminalSnr();
        assertEquals(0, rescaled.alphaBar(T - 1));
        assertEquals(schedule.alphaBar(0), rescaled.alphaBar(0), 1e-6);
        for (int t = 1; t < T; t++) {
            assertTrue(rescaled.alphaBar(t) < rescaled.alphaBar(t - 1), "falls at " + t);
        }
        assertEquals(4096, rescaled.withFiniteSigma().sigma(T - 1), 0.01);
    }

    @Test
    void findsTheTimestepOfASigma() {
        NoiseSchedule schedule = NoiseSchedule.linear(T, 0.0001, 0.02);
        for (double t : new double[] {0, 1, 250, 250.5, 998.25, 999}) {
            assertEquals(t, schedule.timestepOf(schedule.sigma(t)), 0.01);
        }
        assertEquals(0, schedule.timestepOf(1e-9));
        assertEquals(999, schedule.timestepOf(1e9));
        assertEquals(schedule.sigma(999), schedule.sigma(1003));
        assertEquals(schedule.sigma(0), schedule.sigma(-2));
    }

    /** Each sample at its own timestep, with the mean and deviation that q(x|x0) has. */
    @Test
    void theForwardProcessHasItsMarginals() {
        NoiseSchedule schedule = NoiseSchedule.linear(T, 0.0001, 0.02);
        int[] timesteps = {0, 400, 999};
        int samples = 1 << 16;
        try (var generator = new Generator(1);
                var scope = TensorScope.open()) {
            Tensor x0 = Tensor.zeros(DType.FLOAT32, 3, samples).plus(2);
            Tensor x = schedule.noised(x0, Tensor.randn(generator, 3, samples), timesteps);
            for (int i = 0; i < timesteps.length; i++) {
                NoiseLevel at = schedule.level(timesteps[i]);
                Tensor row = x.select(0, i);
                double error = 4 * at.sigma() / Math.sqrt(samples);
                assertEquals(2 * at.alpha(), row.mean().item(), error);
                assertEquals(at.sigma(), Math.sqrt(row.variance(1, false, 0).item()), error);
            }
        }
    }

    @Test
    void aLevelKnowsTheVarianceOfTheStepTowardsIt() {
        NoiseSchedule schedule = NoiseSchedule.linear(T, 0.0001, 0.02);
        double beta = 0.0001 + (0.02 - 0.0001) * 500 / 999;
        assertEquals(beta, schedule.level(500).varianceGiven(schedule.level(499)), 1e-6);
        NoiseLevel at = NoiseLevel.varianceExploding(5, 0);
        assertEquals(16, at.varianceGiven(NoiseLevel.varianceExploding(3, 0)), 1e-12);
    }

    @Test
    void refusesWhatIsNoSchedule() {
        assertThrows(IllegalArgumentException.class, NoiseSchedule::ofBetas);
        for (float beta : new float[] {-0.1f, 1.5f, Float.NaN}) {
            assertThrows(IllegalArgumentException.class, () -> NoiseSchedule.ofBetas(beta));
        }
        NoiseSchedule schedule = NoiseSchedule.linear(T, 0.0001, 0.02);
        var outside = assertThrows(IllegalArgumentException.class, () -> schedule.alphaBar(1000));
        assertTrue(outside.getMessage().contains("timestep 1000"), outside.getMessage());
        try (var scope = TensorScope.open()) {
            Tensor x0 = Tensor.zeros(DType.FLOAT32, 2, 4);
            assertThrows(IllegalArgumentException.class, () -> schedule.noised(x0, x0, 3));
        }
    }

    @Test
    void refusesWhatIsNoLevel() {
        for (double[] values :
                List.of(
                        new double[] {0, 0, 0},
                        new double[] {-1, 1, 0},
                        new double[] {1, Double.NaN, 0},
                        new double[] {1, Double.POSITIVE_INFINITY, 0},
                        new double[] {1, 1, Double.NaN})) {
            assertThrows(
                    IllegalArgumentException.class,
                    () -> new NoiseLevel(values[0], values[1], values[2]));
        }
    }
}
