package dev.darkroom.models.diffusion;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Predictions, networks as denoisers, guidance and clipping. */
class DenoiserTest {
    private static final NoiseLevel PRESERVING = new NoiseLevel(0.8, 0.6, 321);
    private static final NoiseLevel EXPLODING = NoiseLevel.varianceExploding(3, 654.5);
    private static final NoiseLevel FLOW = NoiseLevel.flow(0.3, 300);

    private TensorScope scope;
    private Generator generator;
    private Tensor x0;
    private Tensor noise;

    @BeforeEach
    void draw() {
        scope = TensorScope.open();
        generator = new Generator(7);
        x0 = Tensor.randn(generator, 2, 4, 3, 3).to(DType.FLOAT64);
        noise = Tensor.randn(generator, 2, 4, 3, 3).to(DType.FLOAT64);
    }

    @AfterEach
    void close() {
        generator.close();
        scope.close();
    }

    private Tensor noisy(NoiseLevel at) {
        return NoiseSchedule.noised(x0, noise, List.of(at, at));
    }

    private static void assertClose(Tensor expected, Tensor actual) {
        assertEquals(expected.shape(), actual.shape());
        assertEquals(0, expected.minus(actual).abs().max().item(), 1e-12);
    }

    private static List<NoiseLevel> levelsFor(Prediction prediction) {
        return prediction == Prediction.FLOW
                ? List.of(FLOW, NoiseLevel.flow(1, 1000))
                : List.of(PRESERVING, EXPLODING);
    }

    /** What is learned, seen at the level's own scale, leads back to the data. */
    @Test
    void aPerfectPredictionLeadsToTheData() {
        for (Prediction prediction : Prediction.values()) {
            for (NoiseLevel at : levelsFor(prediction)) {
                double scale = prediction.scale(at);
                var unit = new NoiseLevel(at.alpha() / scale, at.sigma() / scale, at.timestep());
                Tensor target = NoiseSchedule.target(prediction, x0, noise, List.of(unit, unit));
                Tensor x = noisy(at);
                assertClose(x0, prediction.denoised(target, x, at));
                assertClose(target, prediction.output(x0, x, at));
            }
        }
    }

    @Test
    void fromPureNoiseOnlyEpsilonIsRefused() {
        NoiseLevel pure = new NoiseLevel(0, 1, 999);
        Tensor velocity =
                NoiseSchedule.target(Prediction.V_PREDICTION, x0, noise, List.of(pure, pure));
        assertClose(x0, Prediction.V_PREDICTION.denoised(velocity, noise, pure));
        var refused =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> Prediction.EPSILON.denoised(noise, noise, pure));
        assertTrue(refused.getMessage().contains("zero terminal SNR"), refused.getMessage());
    }

    @Test
    void theFlowsVelocityNeedsItsLevels() {
        assertThrows(
                IllegalArgumentException.class,
                () -> Prediction.FLOW.denoised(noise, noise, PRESERVING));
    }

    @Test
    void theNetworkSeesItsOwnScaleAndTime() {
        List<Double> times = new ArrayList<>();
        Network network =
                (x, timestep) -> {
                    times.add(timestep.item());
                    assertClose(noisy(EXPLODING).dividedBy(Math.sqrt(10)), x);
                    return noise;
                };
        var denoiser = new NetworkDenoiser(network, Prediction.EPSILON);
        Denoised denoised = denoiser.denoise(noisy(EXPLODING), EXPLODING);
        assertClose(x0, denoised.x0());
        assertClose(noise, denoised.noise(noisy(EXPLODING), EXPLODING));
        assertNull(denoised.variance());
        assertEquals(List.of(654.5), times);
    }

    @Test
    void twiceTheChannelsAreMeanAndVariance() {
        Network network = (x, timestep) -> Ops.cat(1, noise, x0);
        Denoised denoised =
                new NetworkDenoiser(network, Prediction.EPSILON)
                        .denoise(noisy(PRESERVING), PRESERVING);
        assertClose(x0, denoised.x0());
        assertClose(x0, present(denoised.variance()));
    }

    private static Tensor present(Tensor tensor) {
        assertNotNull(tensor);
        return tensor;
    }

    @Test
    void anotherShapeIsAnError() {
        Network network = (x, timestep) -> x.narrow(1, 0, 3);
        var denoiser = new NetworkDenoiser(network, Prediction.EPSILON);
        var wrong =
                assertThrows(
                        IllegalStateException.class,
                        () -> denoiser.denoise(noisy(PRESERVING), PRESERVING));
        assertTrue(wrong.getMessage().contains("[2, 3, 3, 3]"), wrong.getMessage());
    }

    /** A network that predicts the noise, and under the condition that is asked for, 3 times it. */
    private Denoiser guided(Guidance guidance, List<String> calls) {
        return guided(guidance, calls, true);
    }

    private Denoiser guided(Guidance guidance, List<String> calls, boolean batched) {
        ConditionedNetwork network =
                condition ->
                        (x, timesteps) -> {
                            Tensor factors = condition.get("factor"); // [N], or [2N]
                            calls.add(factors.size(0) == 4 ? "both" : "conditional");
                            assertEquals(factors.size(0), x.size(0));
                            return Ops.cat(0, Collections.nCopies((int) x.size(0) / 2, noise))
                                    .times(factors.reshape(x.size(0), 1, 1, 1));
                        };
        return guidance.with(
                new NetworkEvaluator(
                        network,
                        Prediction.EPSILON,
                        Map.of(
                                Evaluator.CONDITIONAL, factor(3),
                                Evaluator.UNCONDITIONAL, factor(1)),
                        guidance,
                        batched,
                        UnaryOperator.identity()));
    }

    private static Condition factor(double factor) {
        return Condition.of("factor", Tensor.copyOf(new double[] {factor, factor}, 2));
    }

    @Test
    void guidanceExtrapolatesTheNetworksOutput() {
        List<String> calls = new ArrayList<>();
        Tensor x = noisy(PRESERVING);
        Denoised denoised = guided(new ClassifierFree(4.5), calls).denoise(x, PRESERVING);
        Tensor output = Prediction.EPSILON.output(denoised.x0(), x, PRESERVING);
        assertClose(noise.times(1 + 4.5 * 2), output);
        assertEquals(List.of("both"), calls);
    }

    @Test
    void guidanceIsOffAtOneAndBesideItsInterval() {
        Tensor x = noisy(EXPLODING);
        for (Guidance guidance :
                List.of(
                        new ClassifierFree(1),
                        new ClassifierFree(0),
                        new ClassifierFree(5, 0, 0.1, 2.9))) {
            List<String> calls = new ArrayList<>();
            Denoised denoised = guided(guidance, calls).denoise(x, EXPLODING);
            assertClose(noise.times(3), Prediction.EPSILON.output(denoised.x0(), x, EXPLODING));
            assertEquals(List.of("conditional"), calls);
        }
        List<String> calls = new ArrayList<>();
        guided(new ClassifierFree(5, 0, 3, 10), calls).denoise(x, EXPLODING);
        assertEquals(List.of("both"), calls);
    }

    @Test
    void rescaledGuidanceHasTheConditionalDeviation() {
        Tensor x = noisy(PRESERVING);
        for (double share : new double[] {1, 0.7}) {
            Denoised denoised =
                    guided(new ClassifierFree(5, share, 0, 1e9), new ArrayList<>())
                            .denoise(x, PRESERVING);
            Tensor output = Prediction.EPSILON.output(denoised.x0(), x, PRESERVING);
            // Guided: 11 times the noise; conditional: 3 times.
            assertClose(noise.times(share * 3 + (1 - share) * 11), output);
        }
    }

    @Test
    void guidanceKeepsTheConditionalVariance() {
        ConditionedNetwork both =
                condition -> (x, timesteps) -> Ops.cat(1, x, Ops.cat(0, noise, x0));
        var guidance = new ClassifierFree(2);
        Denoised denoised =
                guidance.with(
                                new NetworkEvaluator(
                                        both,
                                        Prediction.EPSILON,
                                        Map.of(
                                                Evaluator.CONDITIONAL, factor(3),
                                                Evaluator.UNCONDITIONAL, factor(1)),
                                        guidance))
                        .denoise(noisy(PRESERVING), PRESERVING);
        assertClose(x0, present(denoised.variance()));
    }

    @Test
    void oneByOneIsAsInABatch() {
        Tensor x = noisy(PRESERVING);
        for (Guidance guidance : List.of(new ClassifierFree(4), new ClassifierFree(4, 0.7, 0, 9))) {
            List<String> calls = new ArrayList<>();
            Tensor together = guided(guidance, new ArrayList<>()).denoise(x, PRESERVING).x0();
            Tensor alone = guided(guidance, calls, false).denoise(x, PRESERVING).x0();
            assertClose(together, alone);
            assertEquals(List.of("conditional", "conditional"), calls);
        }
    }

    /** Three conditions, as of models that follow a picture and a text, each with its own scale. */
    @Test
    void aGuidanceMayAskForThreeConditions() {
        List<String> names = List.of("picture", Evaluator.CONDITIONAL, Evaluator.UNCONDITIONAL);
        Guidance mean =
                new Guidance() {
                    @Override
                    public List<List<String>> evaluations() {
                        return List.of(names);
                    }

                    @Override
                    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
                        var each = evaluator.denoise(x, at, names);
                        assertEquals(3, each.size());
                        Tensor sum = each.get(0).x0().plus(each.get(1).x0()).plus(each.get(2).x0());
                        return new Denoised(sum.dividedBy(3));
                    }
                };
        ConditionedNetwork network =
                condition ->
                        (x, timesteps) ->
                                Ops.cat(0, Collections.nCopies((int) x.size(0) / 2, noise))
                                        .times(condition.get("factor").reshape(-1, 1, 1, 1));
        Map<String, Condition> conditions =
                Map.of("picture", factor(5), names.get(1), factor(3), names.get(2), factor(1));
        Tensor x = noisy(PRESERVING);
        Denoised denoised =
                mean.with(new NetworkEvaluator(network, Prediction.EPSILON, conditions, mean))
                        .denoise(x, PRESERVING);
        assertClose(noise.times(3), Prediction.EPSILON.output(denoised.x0(), x, PRESERVING));
        assertThrows(
                IllegalArgumentException.class,
                () ->
                        new NetworkEvaluator(
                                network, Prediction.EPSILON, Map.of("picture", factor(5)), mean));
    }

    @Test
    void neutralSettingsGiveTheUnguidedBytes() {
        Tensor x = noisy(PRESERVING);
        Tensor unguided = guided(Guidance.NONE, new ArrayList<>()).denoise(x, PRESERVING).x0();
        for (Guidance neutral :
                List.of(
                        new ClassifierFree(1),
                        new ClassifierFree(0),
                        new ClassifierFree(7, 0, 1e6, 1e9),
                        new ClassifierFree(1, 0.7, 0, 1e9))) {
            Tensor denoised = guided(neutral, new ArrayList<>()).denoise(x, PRESERVING).x0();
            assertTrue(unguided.contentEquals(denoised), neutral.toString());
        }
    }

    @Test
    void refusesWhatIsNoGuidance() {
        for (double scale : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
            assertThrows(IllegalArgumentException.class, () -> new ClassifierFree(scale));
        }
        assertThrows(IllegalArgumentException.class, () -> new ClassifierFree(4, -0.1, 0, 1));
        assertThrows(IllegalArgumentException.class, () -> new ClassifierFree(4, Double.NaN, 0, 1));
        assertThrows(IllegalArgumentException.class, () -> new ClassifierFree(4, 0, 2, 1));
    }

    @Test
    void clippingKeepsTheNoiseAsItWas() {
        Denoiser denoiser = (x, at) -> new Denoised(x0);
        Tensor x = noisy(PRESERVING);
        Denoised denoised = Clipping.range(0.5).around(denoiser).denoise(x, PRESERVING);
        assertClose(x0.clamp(-0.5, 0.5), denoised.x0());
        assertClose(noise, denoised.noise(x, PRESERVING));
        assertClose(
                x.minus(denoised.x0().times(0.8)).dividedBy(0.6),
                denoised.remainder(x, PRESERVING));
        assertEquals(denoiser, Clipping.NONE.around(denoiser));
    }

    @Test
    void dynamicThresholdingIsPerSample() {
        Tensor data = Tensor.copyOf(new double[] {0, 1, 2, 3, 4, -0.1, 0.2, 0.3, 0.4, 0.5}, 2, 5);
        Tensor clipped = Clipping.dynamic(0.75, 2.5).clip(data);
        // The first sample's 75 % quantile, 3, is more than 2.5; the second's, 0.4, less than 1.
        assertArrayEquals(
                new double[] {0, 0.4, 0.8, 1, 1, -0.1, 0.2, 0.3, 0.4, 0.5},
                clipped.toDoubleArray(),
                1e-12);
        assertThrows(IllegalArgumentException.class, () -> Clipping.dynamic(1.5, 1));
        assertThrows(IllegalArgumentException.class, () -> Clipping.range(0));
    }

    @Test
    void aConsistencyFunctionIsTheIdentityAtTimeZero() {
        Denoiser denoiser = Consistency.boundary((x, at) -> new Denoised(x0), 10);
        Tensor x = noisy(PRESERVING);
        assertClose(x, denoiser.denoise(x, new NoiseLevel(1, 1e-9, 0)).x0());
        Tensor late = denoiser.denoise(x, PRESERVING).x0();
        assertEquals(0, late.minus(x0).abs().max().item(), 1e-6);
    }
}
