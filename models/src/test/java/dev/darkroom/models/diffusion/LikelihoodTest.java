package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import java.util.List;
import java.util.stream.Stream;

/** Likelihoods of Gaussian data against their density. */
class LikelihoodTest {
    private static final Gaussian DATA = new Gaussian(0.7, 0.6);
    private static final int DIMENSIONS = 3;

    static Stream<Arguments> levels() {
        return Stream.of(
                Arguments.of("VP", Sde.variancePreserving(0.1, 20).levels(1000, 1e-3)),
                Arguments.of("sub-VP", Sde.subVariancePreserving(0.1, 20).levels(1000, 1e-2)),
                Arguments.of("VE", Sde.varianceExploding(0.01, 500).levels(300, 1e-5)),
                Arguments.of(
                        "flow",
                        Gaussian.levels(
                                400,
                                u -> {
                                    double ratio = 1000 * Math.pow(1e-5, u);
                                    double sigma = ratio / (1 + ratio);
                                    return NoiseLevel.flow(sigma, 1000 * sigma);
                                })));
    }

    /** Bits for each dimension of the density itself, at a level. */
    private static double closedForm(Tensor x, NoiseLevel at) {
        double variance = Math.pow(at.alpha() * DATA.deviation(), 2) + at.sigma() * at.sigma();
        double squares = x.minus(at.alpha() * DATA.mean()).square().mean().item();
        return (squares / variance + Math.log(2 * Math.PI * variance)) / 2 / Math.log(2);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("levels")
    void bitsPerDimensionAreThoseOfTheDensity(String name, List<NoiseLevel> levels) {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var generator = new Generator(1)) {
            Tensor noise = Tensor.randn(generator, 64, DIMENSIONS).to(DType.FLOAT64);
            Tensor x = DATA.marginal(noise, levels.getLast());
            NoiseSource source =
                    (shape, dtype, device) -> Tensor.randn(shape, generator, dtype, device);
            double expected = closedForm(x, levels.getLast());
            for (int probes : new int[] {0, 2}) {
                long live = Memory.liveTensors();
                Tensor density = Likelihood.logDensity(DATA.denoiser(), x, levels, probes, source);
                assertEquals(live + 1, Memory.liveTensors());
                double bits = Likelihood.bitsPerDimension(density, DIMENSIONS);
                assertEquals(expected, bits, 2e-3, probes + " probes");
            }
        }
        assertEquals(before, Memory.liveTensors());
    }

    /** The trace of a Jacobian that is no multiple of the identity. */
    @Test
    void probesAreRightOnAverage() {
        List<NoiseLevel> levels = Sde.varianceExploding(0.05, 100).levels(60, 0);
        Denoiser mixed = // tanh is the denoiser of ±1 on a line, of which some is shared
                (x, at) -> {
                    Tensor own = x.dividedBy(at.sigma() * at.sigma()).tanh();
                    return new Denoised(own.plus(own.mean(true, 1), 0.3));
                };
        try (var scope = TensorScope.open();
                var generator = new Generator(1)) {
            Tensor x = Tensor.randn(generator, 8, 4).to(DType.FLOAT64);
            NoiseSource source =
                    (shape, dtype, device) -> Tensor.randn(shape, generator, dtype, device);
            double exact =
                    Likelihood.bitsPerDimension(
                            Likelihood.logDensity(mixed, x, levels, 0, source), 4);
            double estimated =
                    Likelihood.bitsPerDimension(
                            Likelihood.logDensity(mixed, x, levels, 200, source), 4);
            assertEquals(exact, estimated, 0.02);
        }
    }

    @Test
    void refusesWhatHasNoLikelihood() {
        List<NoiseLevel> levels = Gaussian.preserving(4);
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.zeros(DType.FLOAT64, 2, 3);
            Denoiser constant = (latents, at) -> new Denoised(latents.detach());
            assertRefused(DATA.denoiser(), x, Gaussian.endingClean(levels), 0);
            assertRefused(DATA.denoiser(), x, levels.reversed(), 0);
            assertRefused(DATA.denoiser(), x, levels, -1);
            assertRefused(constant, x, levels, 0);
            assertThrows(IllegalArgumentException.class, () -> Likelihood.bitsPerDimension(x, 0));
        }
    }

    private static void assertRefused(
            Denoiser denoiser, Tensor x, List<NoiseLevel> levels, int probes) {
        assertThrows(
                IllegalArgumentException.class,
                () -> Likelihood.logDensity(denoiser, x, levels, probes, NoiseSource.NONE));
    }
}
