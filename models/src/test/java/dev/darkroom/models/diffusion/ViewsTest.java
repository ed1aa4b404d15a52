package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** One network, seen as score, ε, v, x̂0 and flow; one process, as levels and as an SDE. */
class ViewsTest {
    private static final Gaussian DATA = new Gaussian(0.7, 0.6);
    private static final NoiseLevel PRESERVING = NoiseLevel.variancePreserving(0.3, 400);
    private static final NoiseLevel FLOW = NoiseLevel.flow(0.6, 600);

    private static Tensor points() {
        return Tensor.copyOf(new double[] {-1.5, -0.2, 0.6, 2}, 1, 4);
    }

    private static void assertClose(Tensor expected, Tensor actual) {
        assertEquals(0, actual.minus(expected).abs().max().item(), 1e-12);
    }

    @Test
    void everyPredictionIsTheSameScore() {
        List<Preconditioning> predictions = new ArrayList<>(List.of(Prediction.values()));
        predictions.add(Preconditioning.score(false));
        predictions.add(Preconditioning.score(true));
        for (Preconditioning prediction : predictions) {
            NoiseLevel at = prediction.isFlow() ? FLOW : PRESERVING;
            try (var scope = TensorScope.open()) {
                Tensor x = points();
                Denoised exact = DATA.denoiser().denoise(x, at);
                Tensor output = prediction.output(exact.x0(), x, at);
                Denoised seen = new Denoised(prediction.denoised(output, x, at));
                double variance =
                        Math.pow(at.alpha() * DATA.deviation(), 2) + at.sigma() * at.sigma();
                Tensor score = x.minus(at.alpha() * DATA.mean()).dividedBy(-variance);
                assertClose(score, seen.score(x, at));
                assertClose(score.times(-at.sigma()), seen.noise(x, at));
                assertClose(score.times(-at.sigma()), prediction.noise(output, x, at));
                assertClose(exact.x0(), Denoised.ofScore(score, x, at).x0());
            }
        }
    }

    static Stream<Arguments> sdes() {
        return Stream.of(
                Arguments.of("VP", Sde.variancePreserving(0.1, 20)),
                Arguments.of("sub-VP", Sde.subVariancePreserving(0.1, 20)),
                Arguments.of("VE", Sde.varianceExploding(0.01, 50)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("sdes")
    void theLevelsAreTheSdes(String name, Sde sde) {
        double h = 1e-5;
        for (double t : new double[] {0.1, 0.4, 0.9}) {
            NoiseLevel at = sde.level(t);
            NoiseLevel after = sde.level(t + h);
            NoiseLevel before = sde.level(t - h);
            double f = Math.log(after.alpha() / before.alpha()) / (2 * h);
            double growth =
                    (after.sigma() * after.sigma() - before.sigma() * before.sigma()) / (2 * h);
            double g = sde.diffusion(t);
            assertEquals(f, sde.drift(t), 1e-6);
            double variance = at.sigma() * at.sigma();
            assertEquals(growth, g * g + 2 * f * variance, 1e-6 * Math.max(1, variance));
        }
    }

    /** dx/dt = f·x − ½·g²·score moves quantiles to quantiles. */
    @ParameterizedTest(name = "{0}")
    @MethodSource("sdes")
    void theOdeHasTheDistributionsOfTheSde(String name, Sde sde) {
        double h = 1e-5;
        for (double t : new double[] {0.1, 0.4, 0.9}) {
            try (var scope = TensorScope.open()) {
                Tensor x = points();
                Tensor later = DATA.transport(x, sde.level(t), sde.level(t + h));
                Tensor earlier = DATA.transport(x, sde.level(t), sde.level(t - h));
                Tensor score = DATA.denoiser().denoise(x, sde.level(t)).score(x, sde.level(t));
                double g = sde.diffusion(t);
                Tensor slope = x.times(sde.drift(t)).plus(score, -g * g / 2);
                Tensor expected = later.minus(earlier).dividedBy(2 * h);
                assertEquals(0, slope.minus(expected).abs().max().item(), 1e-4);
            }
        }
    }

    @Test
    void refusesWhatIsNoSde() {
        assertThrows(IllegalArgumentException.class, () -> Sde.varianceExploding(0, 1));
        assertThrows(IllegalArgumentException.class, () -> Sde.varianceExploding(2, 1));
        assertThrows(IllegalArgumentException.class, () -> Sde.variancePreserving(-1, 1));
        assertThrows(IllegalArgumentException.class, () -> Sde.subVariancePreserving(2, 1));
        Sde sde = Sde.variancePreserving(0.1, 20);
        assertThrows(IllegalArgumentException.class, () -> sde.levels(0, 0));
        assertThrows(IllegalArgumentException.class, () -> sde.levels(1, 1));
    }
}
