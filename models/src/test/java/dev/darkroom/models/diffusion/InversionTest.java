package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The way from Gaussian data to noise and back along the same levels. */
class InversionTest {
    private static final Gaussian DATA = new Gaussian(0.7, 0.6);

    static Stream<Arguments> levels() {
        return Stream.of(
                Arguments.of("exploding", Gaussian.exploding(10)),
                Arguments.of("exploding, clean", Gaussian.endingClean(Gaussian.exploding(10))),
                Arguments.of("preserving", Gaussian.preserving(10)),
                Arguments.of("preserving, clean", Gaussian.endingClean(Gaussian.preserving(10))),
                Arguments.of("flow", Gaussian.flow(10)),
                Arguments.of(
                        "flow from pure noise",
                        Gaussian.levels(10, u -> NoiseLevel.flow(1 - u, 1000 * (1 - u)))));
    }

    private static double error(Gaussian data, List<NoiseLevel> levels, int iterations) {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.copyOf(new double[] {-1.2, 0.1, 0.7, 2.5}, 1, 4);
            Tensor noise =
                    Inversion.solve(
                            data.denoiser(), x, levels.reversed(), iterations, StepListener.NONE);
            Tensor back = Solvers.euler(data.denoiser(), noise, levels, StepListener.NONE);
            return back.minus(x).abs().max().item();
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("levels")
    void leadsBackToTheData(String name, List<NoiseLevel> levels) {
        double once = error(DATA, levels, 1);
        double often = error(DATA, levels, 8);
        assertTrue(often < 1e-3 && often < once / 10, () -> "errors " + once + " and " + often);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("levels")
    void isExactForStandardNormalData(String name, List<NoiseLevel> levels) {
        assertEquals(0, error(new Gaussian(0, 1), levels, 1), 1e-12);
    }

    /** The latents of the inverse ODE itself, with many steps. */
    @Test
    void endsWhereTheOdeEnds() {
        List<NoiseLevel> levels = Gaussian.preserving(1280);
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.copyOf(new double[] {-1.2, 0.1, 0.7, 2.5}, 1, 4);
            Tensor exact = DATA.transport(x, levels.getLast(), levels.getFirst());
            Tensor found =
                    Inversion.solve(DATA.denoiser(), x, levels.reversed(), 2, StepListener.NONE);
            assertEquals(0, found.minus(exact).abs().max().item(), 5e-3);
        }
    }

    @Test
    void tellsOfEveryEvaluationAndKeepsOnlyTheResult() {
        SamplingPlan plan =
                new SamplingPlan(Gaussian.flow(4), 1, Solver.euler(), Clipping.NONE).inverted(3);
        var levels = new ArrayList<NoiseLevel>();
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.zeros(DType.FLOAT64, 1, 4);
            long before = Memory.liveTensors();
            plan.sample(
                    DATA.denoiser(),
                    x,
                    NoiseSource.NONE,
                    step -> {
                        assertEquals(12, step.of());
                        levels.add(step.level());
                    });
            assertEquals(before + 1, Memory.liveTensors());
        }
        assertEquals(plan.evaluations(), levels);
    }

    @Test
    void refusesWhatCantBeInverted() {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.zeros(DType.FLOAT64, 1, 4);
            List<NoiseLevel> all = List.of(NoiseLevel.CLEAN, NoiseLevel.flow(1, 1000));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Inversion.solve(DATA.denoiser(), x, all, 1, StepListener.NONE));
            assertThrows(
                    IllegalArgumentException.class,
                    () ->
                            Inversion.solve(
                                    DATA.denoiser(), x, Gaussian.flow(3), 0, StepListener.NONE));
            assertThrows(IllegalArgumentException.class, () -> Solver.inversion(0));
        }
    }
}
