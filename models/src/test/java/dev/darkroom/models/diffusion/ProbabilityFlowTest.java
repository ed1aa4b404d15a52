package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The adaptive solver against the exact solution for Gaussian data. */
class ProbabilityFlowTest {
    private static final Gaussian DATA = new Gaussian(0.7, 0.6);

    static Stream<Arguments> levels() {
        return Stream.of(
                Arguments.of("exploding", Gaussian.exploding(3)),
                Arguments.of("preserving", Gaussian.preserving(3)),
                Arguments.of("flow", Gaussian.flow(3)),
                Arguments.of(
                        "flow from pure noise",
                        Gaussian.levels(2, u -> NoiseLevel.flow(1 - 0.9 * u, 1000 * (1 - u)))));
    }

    /** The error and the number of evaluations. */
    private record Outcome(double error, int evaluations) {}

    private static Outcome solve(List<NoiseLevel> levels, double rtol) {
        try (var scope = TensorScope.open()) {
            long before = Memory.liveTensors();
            Tensor x = Tensor.copyOf(new double[] {-1.5, -0.2, 0.6, 2}, 1, 4);
            Tensor exact = DATA.transport(x, levels.getFirst(), levels.getLast());
            int[] evaluations = {0};
            var steps = new ArrayList<NoiseLevel>();
            long live = Memory.liveTensors();
            Tensor actual =
                    ProbabilityFlow.rk45(
                            (latents, at) -> {
                                evaluations[0]++;
                                return DATA.denoiser().denoise(latents, at);
                            },
                            x,
                            levels,
                            rtol,
                            null,
                            step -> steps.add(step.level()));
            assertEquals(live + 1, Memory.liveTensors());
            assertTrue(before <= live);
            assertEquals(levels.subList(0, levels.size() - 1), steps);
            return new Outcome(actual.minus(exact).abs().max().item(), evaluations[0]);
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("levels")
    void theErrorFollowsTheTolerance(String name, List<NoiseLevel> levels) {
        Outcome coarse = solve(levels, 1e-3);
        Outcome fine = solve(levels, 1e-8);
        assertTrue(coarse.error < 3e-3, coarse::toString);
        assertTrue(fine.error < 1e-7, fine::toString);
        assertTrue(fine.evaluations > 2 * coarse.evaluations, () -> coarse + " and " + fine);
        assertTrue(coarse.evaluations < 60, coarse::toString);
    }

    @Test
    void endsWithTheDataWhereNoNoiseIsLeft() {
        List<NoiseLevel> levels = Gaussian.endingClean(Gaussian.exploding(2));
        assertTrue(solve(levels, 1e-6).error < 0.05); // from sigma 0.1 in one step
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, -1, 1, Double.NaN})
    void refusesATolerance(double rtol) {
        assertThrows(IllegalArgumentException.class, () -> solve(Gaussian.flow(2), rtol));
    }

    @Test
    void saysWhereNoStepIsSmallEnough() {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.copyOf(new double[] {1, 2}, 1, 2);
            Denoiser broken = (latents, at) -> new Denoised(latents.times(Double.NaN));
            var failure =
                    assertThrows(
                            ArithmeticException.class,
                            () ->
                                    ProbabilityFlow.rk45(
                                            broken,
                                            x,
                                            Gaussian.flow(2),
                                            1e-3,
                                            null,
                                            StepListener.NONE));
            assertTrue(failure.getMessage().contains("rtol"), failure.getMessage());
        }
    }
}
