package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.guidance.CfgPlusPlus;
import dev.darkroom.models.diffusion.guidance.GuidanceKind;
import dev.darkroom.models.diffusion.guidance.NamedGuidance;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

/** CFG++: its guidance, its solver, and what both come to on normally distributed data. */
class CfgPlusPlusTest {
    private static final double[] LAMBDAS = {0, 0.6, 1};
    private static final Gaussian WITH = new Gaussian(0.7, 0.6);
    private static final Gaussian WITHOUT = new Gaussian(-0.4, 1.1);

    private static final NoiseSource NOISE =
            (shape, dtype, device) -> Tensor.full(shape, 0.3, dtype, device);

    /** Exact estimates with the condition and without. */
    private static final Evaluator EVALUATOR =
            new Evaluator() {
                @Override
                public List<Denoised> denoise(Tensor x, NoiseLevel at, List<String> conditions) {
                    return conditions.stream()
                            .map(CfgPlusPlusTest::data)
                            .map(data -> data.denoiser().denoise(x, at))
                            .toList();
                }

                @Override
                public Prediction prediction() {
                    return Prediction.EPSILON;
                }
            };

    private static Gaussian data(String condition) {
        return condition.equals(Evaluator.CONDITIONAL) ? WITH : WITHOUT;
    }

    private TensorScope scope;
    private Tensor x;

    @BeforeEach
    void open() {
        scope = TensorScope.open();
        x = Tensor.full(Shape.of(1, 1, 2, 2), 0.5, DType.FLOAT64, Device.CPU);
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private double sample(Solver solver, Guidance guidance, List<NoiseLevel> levels) {
        return solver.solve(guidance.with(EVALUATOR), x, levels, NOISE, StepListener.NONE)
                .mean()
                .item();
    }

    static Stream<List<NoiseLevel>> levels() {
        return Stream.of(Gaussian.preserving(3), Gaussian.flow(3), Gaussian.exploding(3))
                .map(Gaussian::endingClean);
    }

    /** Of tests/oracle/cfg_plus_plus.py, for each λ. */
    static Stream<Arguments> formula() {
        List<double[]> expected =
                List.of(
                        new double[] {0.010977567042833534, 0.7505258467592952, 1.0552461331783762},
                        new double[] {
                            -0.023854118496148557, 0.6939089389751808, 1.0105769562463158
                        },
                        new double[] {-0.3331947041731346, 0.49509435934652873, 0.8849158427650764},
                        new double[] {
                            -0.042770054265106786, 0.6439081199594238, 0.9300414763687981
                        },
                        new double[] {-0.11324237672297313, 0.5730145863328268, 0.8798030297043036},
                        new double[] {
                            -0.11424849517282144, 0.5725641219175659, 0.8896192892692264
                        });
        List<List<NoiseLevel>> levels = levels().toList();
        List<Arguments> all = new ArrayList<>();
        for (int i = 0; i < expected.size(); i++) {
            all.add(Arguments.of(i / 3, levels.get(i % 3), expected.get(i)));
        }
        return all.stream();
    }

    @ParameterizedTest
    @MethodSource("formula")
    void isThePapers(double eta, List<NoiseLevel> levels, double[] expected) {
        for (int i = 0; i < LAMBDAS.length; i++) {
            Guidance guidance = new CfgPlusPlus(LAMBDAS[i]);
            assertEquals(expected[i], sample(Solver.cfgPlusPlus(eta), guidance, levels), 1e-12);
        }
    }

    /** Nothing is guided at 0, nor where the condition says nothing. */
    @ParameterizedTest
    @MethodSource("levels")
    void isDdimWithoutTheCondition(List<NoiseLevel> levels) {
        for (double eta : new double[] {0, 0.5, 1}) {
            Tensor plain =
                    Solvers.ddim(WITHOUT.denoiser(), x, levels, eta, NOISE, StepListener.NONE);
            double sampled = sample(Solver.cfgPlusPlus(eta), new CfgPlusPlus(0), levels);
            assertEquals(plain.mean().item(), sampled, 1e-14);
            Denoiser knowsNone = WITH.denoiser();
            Denoiser same =
                    (xi, at) -> {
                        Tensor x0 = knowsNone.denoise(xi, at).x0();
                        return new Denoised(x0, null, null, x0);
                    };
            Tensor ddim = Solvers.ddim(knowsNone, x, levels, eta, NOISE, StepListener.NONE);
            for (Denoiser each : List.of(knowsNone, same)) {
                Tensor renoised =
                        Solvers.cfgPlusPlus(each, x, levels, eta, NOISE, StepListener.NONE);
                assertEquals(ddim.mean().item(), renoised.mean().item(), 1e-14);
            }
        }
        double euler = sample(Solver.euler(), Guidance.NONE, levels);
        assertEquals(euler, sample(Solver.cfgPlusPlus(0), Guidance.NONE, levels), 1e-14);
    }

    /** λ is no weight of classifier-free guidance, but a step's is known: λ / (1 − ρ'/ρ). */
    @ParameterizedTest
    @MethodSource("levels")
    void aStepIsOneOfClassifierFreeGuidanceOfMoreWeight(List<NoiseLevel> levels) {
        for (int i = 0; i + 1 < levels.size(); i++) {
            List<NoiseLevel> step = levels.subList(i, i + 2);
            double left = step.get(1).noiseToSignal() / step.get(0).noiseToSignal();
            double lambda = 0.6;
            double weight = lambda / (1 - left);
            if (weight > 1) { // or classifier-free guidance is off
                double guided = sample(Solver.ddim(0), new ClassifierFree(weight), step);
                double sampled = sample(Solver.cfgPlusPlus(0), new CfgPlusPlus(lambda), step);
                assertEquals(guided, sampled, 1e-13);
            }
        }
    }

    /** Otherwise CFG++ would take the noise of the guided estimate and nobody would know. */
    @Test
    void everyGuidanceKnowsWhatItLedAwayFrom() {
        NoiseLevel at = Gaussian.preserving(0.5);
        Tensor without = WITHOUT.denoiser().denoise(x, at).x0();
        List<Guidance> guidances = new ArrayList<>(List.of(new CfgPlusPlus(0.3)));
        for (String id : GuidanceKind.ids()) {
            guidances.add(NamedGuidance.parse(id).scaled(3));
        }
        for (Guidance guidance : guidances) {
            List<NoiseLevel> run = Collections.nCopies(2, at);
            Denoised denoised = guidance.over(run, () -> x.times(0)).denoise(x, at, EVALUATOR);
            if (guidance.toString().startsWith("zero-star")) {
                denoised = guidance.denoise(x, at, EVALUATOR); // after the step that is zero
            }
            Tensor known = denoised.unconditional();
            assertTrue(known != null && known.contentEquals(without), guidance.toString());
        }
    }

    @Test
    void clippingLeavesTheNoiseAsItWas() {
        NoiseLevel at = Gaussian.preserving(0.2);
        List<NoiseLevel> step = List.of(at, NoiseLevel.CLEAN);
        var plan = new SamplingPlan(step, 1, Solver.cfgPlusPlus(0), Clipping.range(1e-3));
        var guided = new CfgPlusPlus(1).with(EVALUATOR);
        Tensor sampled = plan.sample(guided, x, NOISE, StepListener.NONE);
        assertEquals(1e-3, sampled.mean().item(), 1e-15);
        NoiseLevel next = Gaussian.preserving(0.6);
        plan = new SamplingPlan(List.of(at, next), 1, Solver.cfgPlusPlus(0), Clipping.range(1e-3));
        sampled = plan.sample(guided, x, NOISE, StepListener.NONE);
        Tensor noise = WITHOUT.denoiser().denoise(x, at).noise(x, at);
        double expected = next.alpha() * 1e-3 + next.sigma() * noise.mean().item();
        assertEquals(expected, sampled.mean().item(), 1e-14);
    }

    @ParameterizedTest
    @ValueSource(doubles = {-0.1, 1.1, 7.5, Double.NaN, Double.POSITIVE_INFINITY})
    void refusesAWeightOfClassifierFreeGuidance(double weight) {
        var refused = assertThrows(IllegalArgumentException.class, () -> new CfgPlusPlus(weight));
        assertTrue(refused.getMessage().contains("from 0 to 1"), refused.getMessage());
        assertThrows(IllegalArgumentException.class, () -> new CfgPlusPlus(0).scaled(weight));
    }
}
