package dev.darkroom.models.diffusion.guidance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;

import java.util.List;

/**
 * Data that are one of two Gaussians, whose mixture, classifier and denoisers are known exactly.
 */
class ClassifierGuidanceTest {
    private static final double MEAN = 1.5;
    private static final double SPREAD = 0.4;

    private static final List<NoiseLevel> LEVELS =
            List.of(
                    new NoiseLevel(0.05, Math.sqrt(1 - 0.05 * 0.05), 980),
                    new NoiseLevel(0.6, 0.8, 500),
                    new NoiseLevel(0.99, Math.sqrt(1 - 0.99 * 0.99), 10),
                    NoiseLevel.varianceExploding(3, 700));

    private static double variance(NoiseLevel at) {
        return at.alpha() * at.alpha() * SPREAD * SPREAD + at.sigma() * at.sigma();
    }

    /** What data of a mean are expected to be behind x. */
    private static Tensor expected(Tensor x, NoiseLevel at, double mean) {
        double gain = at.alpha() * SPREAD * SPREAD / variance(at);
        return x.plus(-at.alpha() * mean).times(gain).plus(mean);
    }

    /** How likely x is of the Gaussian at +{@value #MEAN}, of each element. */
    private static Tensor probability(Tensor x, NoiseLevel at) {
        return x.times(2 * at.alpha() * MEAN / variance(at)).sigmoid();
    }

    /** The denoiser of the mixture. */
    private static final Evaluator MIXTURE =
            new Evaluator() {
                @Override
                public List<Denoised> denoise(Tensor x, NoiseLevel at, List<String> conditions) {
                    Tensor p = probability(x, at);
                    Tensor above = expected(x, at, MEAN);
                    Tensor below = expected(x, at, -MEAN);
                    return List.of(new Denoised(below.plus(p.times(above.minus(below)))));
                }

                @Override
                public Prediction prediction() {
                    return Prediction.EPSILON;
                }
            };

    private static Tensor logProbability(Tensor x, NoiseLevel at) {
        return probability(x, at).log().sum(false, 1);
    }

    /** An exact classifier makes the mixture's denoiser that of one of its Gaussians. */
    @Test
    void samplesWhatTheClassifierAsksFor() {
        long live = Memory.liveTensors();
        for (Mode mode : List.of(Mode.NO_GRAD, Mode.INFERENCE)) {
            try (var scope = TensorScope.open();
                    var entered = mode.enter();
                    var generator = new Generator(3)) {
                Tensor x = Tensor.randn(generator, 5, 7).to(DType.FLOAT64);
                var guidance =
                        new ClassifierGuidance(
                                Guidance.NONE, ClassifierGuidanceTest::logProbability, 1);
                for (NoiseLevel at : LEVELS) {
                    Tensor x0 = guidance.denoise(x, at, MIXTURE).x0();
                    double error = x0.minus(expected(x, at, MEAN)).abs().max().item();
                    assertTrue(error < 1e-10, at + ": " + error);
                    assertFalse(x0.requiresGrad());
                }
                assertFalse(x.requiresGrad());
                assertEquals(mode, Mode.current());
            }
        }
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void withoutWeightOrSignalNothingChanges() {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.ones(DType.FLOAT64, 2, 3);
            var unguided = new Denoised(x.times(2));
            Evaluator evaluator =
                    new Evaluator() {
                        @Override
                        public List<Denoised> denoise(
                                Tensor latents, NoiseLevel at, List<String> conditions) {
                            return List.of(unguided);
                        }

                        @Override
                        public Prediction prediction() {
                            return Prediction.SAMPLE;
                        }
                    };
            ClassifierGuidance.Classifier never =
                    (latents, at) -> {
                        throw new AssertionError("asked at " + at);
                    };
            var none = new ClassifierGuidance(Guidance.NONE, never, 0);
            assertSame(unguided, none.denoise(x, LEVELS.getFirst(), evaluator));
            var some = new ClassifierGuidance(Guidance.NONE, never, 2);
            assertSame(unguided, some.denoise(x, new NoiseLevel(0, 1, 999), evaluator));
        }
    }

    @Test
    void refusesClassifiersWithoutAGradient() {
        assertRefused("for each of 2 samples, not", (x, at) -> x);
        assertRefused("does not depend", (x, at) -> Tensor.ones(DType.FLOAT64, 2));
        for (double weight : new double[] {-1, Double.NaN, 1e300}) {
            assertThrows(
                    IllegalArgumentException.class,
                    () -> new ClassifierGuidance(Guidance.NONE, (x, at) -> x, weight));
        }
    }

    private static void assertRefused(String part, ClassifierGuidance.Classifier classifier) {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.ones(DType.FLOAT64, 2, 3);
            var guidance = new ClassifierGuidance(Guidance.NONE, classifier, 1);
            var wrong =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> guidance.denoise(x, LEVELS.getFirst(), MIXTURE));
            assertTrue(wrong.getMessage().contains(part), wrong.getMessage());
        }
    }
}
