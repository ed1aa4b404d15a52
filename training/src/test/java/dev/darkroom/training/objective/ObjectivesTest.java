package dev.darkroom.training.objective;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/** Every diffusion objective against PyTorch, with its gradients, and against closed forms. */
class ObjectivesTest {
    private static final NoiseSchedule SCHEDULE = NoiseSchedule.linear(1000, 0.0001, 0.02);

    private interface Loss {
        Tensor of(Network network, Tensor clean, Golden golden) throws IOException;
    }

    /** Held against the loss and the gradients of a case. */
    private static void check(String name, double perTime, Loss loss) throws IOException {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var mode = Mode.GRAD.enter();
                var golden = Golden.objective(name)) {
            var network = TinyNetwork.of(golden, "network", true);
            Network timed = (x, t) -> network.forward(x, t.times(perTime));
            Tensor actual = loss.of(timed, golden.get("clean"), golden);
            assertEquals(DType.FLOAT32, actual.dtype());
            golden.assertClose("loss", actual, 1e-5);
            actual.backward();
            network.assertGradients(golden, 1e-5);
        } catch (RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException(e);
        }
        assertEquals(before, Memory.liveTensors());
    }

    private static List<Integer> integers(Tensor tensor) {
        return Arrays.stream(tensor.toLongArray()).mapToObj(Math::toIntExact).toList();
    }

    private static Diffusion.Draw drawn(Golden golden) throws IOException {
        return new Diffusion.Draw(integers(golden.get("timesteps")), golden.get("noise"));
    }

    @ParameterizedTest
    @CsvSource({"epsilon, EPSILON", "v, V_PREDICTION", "sample, SAMPLE"})
    void diffusion(String name, Prediction prediction) throws IOException {
        var plain = new Diffusion(SCHEDULE, prediction);
        check("diffusion_" + name, 1e-3, (net, clean, g) -> plain.loss(net, clean, drawn(g)));
        var minSnr = new Diffusion(SCHEDULE, prediction, LossWeight.minSnr(5), false);
        check("min_snr_" + name, 1e-3, (net, clean, g) -> minSnr.loss(net, clean, drawn(g)));
        var learned = new LearnedVariance(SCHEDULE, prediction);
        check("vlb_" + name, 1e-3, (net, clean, g) -> learned.loss(net, clean, drawn(g)));
    }

    @Test
    void edm() throws IOException {
        var edm = new Edm(0.5);
        check(
                "edm",
                1,
                (network, clean, golden) -> {
                    Tensor sigma = golden.get("sigma");
                    Tensor x = clean.plus(golden.get("noise").times(Batches.column(clean, sigma)));
                    golden.assertClose("denoised", edm.denoised(network, x, sigma), 1e-6);
                    return edm.loss(network, clean, new Edm.Draw(sigma, golden.get("noise")));
                });
    }

    @Test
    void flowMatching() throws IOException {
        var flow = new FlowMatching(FlowTimes.UNIFORM);
        check(
                "flow",
                1e-3,
                (network, clean, golden) -> {
                    double[] times = golden.get("times").toDoubleArray();
                    var draw =
                            new FlowMatching.Draw(
                                    Arrays.stream(times).boxed().toList(), golden.get("noise"));
                    return flow.loss(network, clean, draw);
                });
    }

    @Test
    void scoreMatching() throws IOException {
        var score = new ScoreMatching(0.01, 5, 10);
        check(
                "score",
                0.1,
                (network, clean, golden) -> {
                    var draw =
                            new ScoreMatching.Draw(
                                    integers(golden.get("scales")), golden.get("noise"));
                    return score.loss(network, clean, draw);
                });
    }

    // ---- Closed forms, for data N(0, s²) ----

    private static final double S = 0.7;

    /** The least loss of an objective, from the best denoiser x̂0 = alpha·s²/(alpha²s² + σ²)·x. */
    private static double leastLoss(Objective objective, Network best) {
        double sum = 0;
        try (var scope = TensorScope.open();
                var generator = new Generator(5)) {
            Tensor clean = Tensor.randn(generator, 400_000, 4).times(S);
            sum += objective.loss(best, clean, generator).item();
        }
        return sum;
    }

    private static Tensor best(Prediction prediction, Tensor x, Tensor t) {
        List<NoiseLevel> levels =
                integers(t.to(DType.INT64)).stream().map(SCHEDULE::level).toList();
        Tensor weight =
                Batches.column(
                        x,
                        levels,
                        at -> {
                            double data = at.alpha() * S;
                            return at.alpha() * S * S / (data * data + at.sigma() * at.sigma());
                        });
        Tensor x0 = x.times(weight);
        Tensor alpha = Batches.column(x, levels, NoiseLevel::alpha);
        Tensor sigma = Batches.column(x, levels, NoiseLevel::sigma);
        Tensor noise = x.minus(x0.times(alpha)).dividedBy(sigma);
        return prediction.target(x0, noise, alpha, sigma);
    }

    @ParameterizedTest
    @EnumSource(
            value = Prediction.class,
            names = {"EPSILON", "V_PREDICTION", "SAMPLE"})
    void theBestNetworkHasTheKnownLoss(Prediction prediction) {
        for (boolean stratified : new boolean[] {false, true}) {
            for (LossWeight weight : List.of(LossWeight.UNIFORM, LossWeight.minSnr(5))) {
                double expected = 0;
                for (int t = 0; t < 1000; t++) {
                    NoiseLevel at = SCHEDULE.level(t);
                    double a2 = at.alpha() * at.alpha();
                    double s2 = at.sigma() * at.sigma();
                    double left = S * S * s2 / (a2 * S * S + s2); // Var[x0 | x]
                    double error =
                            switch (prediction) {
                                case EPSILON -> left * a2 / s2;
                                case V_PREDICTION -> left / s2;
                                default -> left;
                            };
                    expected += weight.of(prediction, at) * error / 1000;
                }
                double actual =
                        leastLoss(
                                new Diffusion(SCHEDULE, prediction, weight, stratified),
                                (x, t) -> best(prediction, x, t));
                assertEquals(expected, actual, 0.015 * expected);
            }
        }
    }

    @Test
    void minSnrIsTheSameLossWhateverIsPredicted() {
        var weight = LossWeight.minSnr(5);
        for (int t : new int[] {0, 10, 200, 999}) {
            NoiseLevel at = SCHEDULE.level(t);
            double ofX0 = weight.of(Prediction.SAMPLE, at);
            double snr = Math.pow(at.alpha() / at.sigma(), 2);
            // An error e in x0 is an error alpha/sigma·e in ε and e/sigma in v.
            assertEquals(ofX0, weight.of(Prediction.EPSILON, at) * snr, 1e-9 * ofX0);
            double ofV = weight.of(Prediction.V_PREDICTION, at);
            assertEquals(ofX0, ofV / (at.sigma() * at.sigma()), 1e-9 * ofX0);
        }
        assertEquals(1, weight.of(Prediction.EPSILON, new NoiseLevel(0, 1, 999)));
    }

    @Test
    void edmFlowAndScoreHaveTheKnownLossToo() {
        // With sigmaData right, the network that makes 0 is the best, and F's target has variance
        // 1.
        double edm = leastLoss(new Edm(S), (x, t) -> x.times(0));
        assertEquals(1, edm, 0.015);
        // The flow's best velocity is E[ε − x0 | x]; the error is s²/((1 − t)²s² + t²) on average.
        double expected = 0;
        for (int i = 0; i < 10_000; i++) {
            double t = (i + 0.5) / 10_000;
            expected += S * S / ((1 - t) * (1 - t) * S * S + t * t) / 10_000;
        }
        double flow =
                leastLoss(
                        new FlowMatching(FlowTimes.UNIFORM),
                        (x, time) -> {
                            Tensor t = time.dividedBy(1000).unsqueeze(1);
                            Tensor data = t.subtractedFrom(1).square().times(S * S);
                            Tensor slope = t.minus(t.subtractedFrom(1).times(S * S));
                            return x.times(slope).dividedBy(data.plus(t.square()));
                        });
        assertEquals(expected, flow, 0.015 * expected);
        // ½·Var[ε | x] = ½·s²/(s² + sigma²).
        var matching = new ScoreMatching(0.01, 5, 10);
        double half =
                matching.levels().stream()
                                .mapToDouble(at -> S * S / (S * S + at.sigma() * at.sigma()))
                                .sum()
                        / 20;
        double score =
                leastLoss(
                        matching,
                        (x, index) -> {
                            Tensor sigma =
                                    index.times(Math.log(500) / 9).exp().times(0.01).unsqueeze(1);
                            return x.times(sigma).dividedBy(sigma.square().plus(S * S)).negated();
                        });
        assertEquals(half, score, 0.015 * half);
    }

    // ---- What is drawn ----

    @Test
    void stratifiedTimestepsAreSpreadEvenly() {
        try (var scope = TensorScope.open();
                var generator = new Generator(3)) {
            Tensor clean = Tensor.zeros(DType.FLOAT32, 100, 1);
            var spread = new Diffusion(SCHEDULE, Prediction.EPSILON, LossWeight.UNIFORM, true);
            long[] tenths =
                    spread.draw(clean, generator).timesteps().stream()
                            .mapToLong(t -> t / 100)
                            .sorted()
                            .toArray();
            for (int i = 0; i < 100; i++) {
                assertEquals(i / 10, tenths[i]);
            }
        }
    }

    @Test
    void shiftedTimestepsHaveMoreNoise() {
        try (var scope = TensorScope.open();
                var generator = new Generator(3)) {
            Tensor clean = Tensor.zeros(DType.FLOAT32, 1000, 1);
            var shifted =
                    new Diffusion(SCHEDULE, Prediction.V_PREDICTION, LossWeight.UNIFORM, true, 3);
            List<Integer> timesteps =
                    shifted.draw(clean, generator).timesteps().stream().sorted().toList();
            // A quarter, half and three quarters of the way become 3/6, 3/4 and 9/10 of it.
            assertEquals(500, timesteps.get(250), 2);
            assertEquals(750, timesteps.get(500), 2);
            assertEquals(900, timesteps.get(750), 2);
            assertTrue(timesteps.getLast() <= 999);
        }
        assertThrows(
                IllegalArgumentException.class,
                () ->
                        new Diffusion(
                                SCHEDULE, Prediction.V_PREDICTION, LossWeight.UNIFORM, true, 0));
    }

    @Test
    void sameSeedSameLoss() {
        try (var scope = TensorScope.open()) {
            Tensor clean = Tensor.ones(DType.FLOAT32, 16, 2, 2, 2);
            for (Objective objective :
                    List.of(
                            new Diffusion(SCHEDULE, Prediction.EPSILON),
                            new Edm(0.5),
                            new FlowMatching(
                                    FlowTimes.logitNormal(0, 1), Coupling.OPTIMAL_TRANSPORT),
                            new ScoreMatching(0.01, 5, 10))) {
                double[] losses = new double[3];
                for (int i = 0; i < 3; i++) {
                    try (var generator = new Generator(i == 2 ? 8 : 7)) {
                        losses[i] = objective.loss((x, t) -> x.tanh(), clean, generator).item();
                    }
                }
                assertEquals(losses[0], losses[1]);
                assertTrue(losses[0] != losses[2]);
            }
        }
    }

    @Test
    void logitNormalTimes() {
        try (var scope = TensorScope.open();
                var generator = new Generator(3)) {
            Tensor clean = Tensor.zeros(DType.FLOAT32, 50_000, 1);
            double[] logits =
                    Arrays.stream(FlowTimes.logitNormal(0.5, 0.8).draw(clean, generator))
                            .map(t -> Math.log(t / (1 - t)))
                            .toArray();
            double mean = Arrays.stream(logits).average().orElseThrow();
            double variance =
                    Arrays.stream(logits).map(l -> (l - mean) * (l - mean)).average().orElseThrow();
            assertEquals(0.5, mean, 0.02);
            assertEquals(0.8, Math.sqrt(variance), 0.02);
        }
    }

    @Test
    void logNormalSigmas() {
        try (var scope = TensorScope.open();
                var generator = new Generator(3)) {
            Tensor clean = Tensor.zeros(DType.FLOAT32, 50_000, 1);
            Tensor logarithm = new Edm(0.5).draw(clean, generator).sigma().log();
            assertEquals(-1.2, logarithm.mean().item(), 0.03);
            assertEquals(1.44, logarithm.variance(1, false, 0).item(), 0.04);
        }
    }

    @Test
    void conditionsAreDropped() {
        try (var scope = TensorScope.open();
                var generator = new Generator(3)) {
            Tensor dropped = new ConditionDropout(0.1).draw(20_000, generator);
            double share = dropped.to(DType.FLOAT32).mean().item();
            assertEquals(0.1, share, 0.01);
            Tensor labels = Tensor.zeros(DType.INT64, 20_000);
            Tensor none = Tensor.copyOf(new long[] {8}, 1);
            Tensor actual = ConditionDropout.drop(dropped, labels, none);
            assertEquals(DType.INT64, actual.dtype());
            assertEquals(8 * share, actual.to(DType.FLOAT64).mean().item(), 1e-6);
            Tensor text = Tensor.ones(DType.FLOAT32, 3, 2, 4);
            Tensor mask = Tensor.copyOf(new boolean[] {false, true, false}, 3);
            Tensor empty = Tensor.zeros(DType.FLOAT32, 2, 4);
            Tensor kept = ConditionDropout.drop(mask, text, empty).sum(false, 1, 2);
            assertEquals(
                    List.of(8.0, 0.0, 8.0), Arrays.stream(kept.toDoubleArray()).boxed().toList());
            assertEquals(
                    0,
                    new ConditionDropout(0).draw(100, generator).to(DType.INT64).sum().itemLong());
            assertEquals(
                    100,
                    new ConditionDropout(1).draw(100, generator).to(DType.INT64).sum().itemLong());
        }
    }

    @Test
    void badInputIsRefused() {
        assertThrows(
                IllegalArgumentException.class, () -> new Diffusion(SCHEDULE, Prediction.FLOW));
        assertThrows(IllegalArgumentException.class, () -> LossWeight.minSnr(0));
        assertThrows(IllegalArgumentException.class, () -> new Edm(0));
        assertThrows(IllegalArgumentException.class, () -> new ScoreMatching(1, 1, 10));
        assertThrows(IllegalArgumentException.class, () -> new ConditionDropout(1.5));
        assertThrows(IllegalArgumentException.class, () -> FlowTimes.logitNormal(0, 0));
        assertThrows(
                IllegalArgumentException.class,
                () -> new LearnedVariance(SCHEDULE.withZeroTerminalSnr(), Prediction.EPSILON));
        try (var scope = TensorScope.open();
                var generator = new Generator(1)) {
            Tensor clean = Tensor.zeros(DType.FLOAT32, 2, 2, 2);
            assertThrows(
                    IllegalStateException.class,
                    () ->
                            new LearnedVariance(SCHEDULE, Prediction.EPSILON)
                                    .loss((x, t) -> x, clean, generator));
            assertThrows(
                    IllegalStateException.class,
                    () ->
                            new Diffusion(SCHEDULE, Prediction.EPSILON)
                                    .loss((x, t) -> x.repeat(1, 2, 1), clean, generator));
        }
    }
}
