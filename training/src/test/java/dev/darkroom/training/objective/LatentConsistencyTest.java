package dev.darkroom.training.objective;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.ConditionedNetwork;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.testing.Golden;
import dev.darkroom.training.objective.LatentConsistency.Draw;
import dev.darkroom.training.objective.LatentConsistency.Networks;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.util.Arrays;

class LatentConsistencyTest {
    /** In float64, since the pseudo-Huber distance turns round within 0.001. */
    private static final double BOUND = 1e-10;

    private static final NoiseSchedule SCHEDULE = NoiseSchedule.scaledLinear(1000, 0.00085, 0.012);

    private static ConditionedNetwork guided(TinyNetwork network) {
        return condition -> {
            Tensor w = condition.get(Condition.DISTILLED_GUIDANCE);
            return (x, t) -> network.forward(x, t.dividedBy(1000), w.dividedBy(10));
        };
    }

    /** A teacher of two networks, one for each condition. */
    private static ConditionedNetwork teacher(TinyNetwork conditional, TinyNetwork unconditional) {
        return condition -> {
            var network = condition.get("label").max().item() == 1 ? conditional : unconditional;
            return (x, t) -> network.forward(x, t.dividedBy(1000));
        };
    }

    private static Networks networks(
            TinyNetwork student, TinyNetwork target, TinyNetwork cond, TinyNetwork uncond) {
        return new Networks(
                guided(student), guided(target), teacher(cond, uncond), label(1), label(0));
    }

    /** For the samples of the golden batches. */
    private static Condition label(int label) {
        return Condition.of("label", Tensor.full(Shape.of(6), label, DType.INT64, Device.CPU));
    }

    @ParameterizedTest
    @CsvSource({
        "lcd_epsilon, EPSILON, false",
        "lcd_v, V_PREDICTION, false",
        "lcd_sample, SAMPLE, false",
        "lcd_fixed, EPSILON, true"
    })
    void lossAndGradients(String name, Prediction prediction, boolean squared) throws Exception {
        long before = Memory.liveTensors();
        var objective =
                new LatentConsistency(
                        SCHEDULE,
                        prediction,
                        50,
                        10,
                        5,
                        15,
                        squared ? Distance.SQUARED : Distance.pseudoHuber(0.001));
        try (var scope = TensorScope.open();
                var mode = Mode.GRAD.enter();
                var golden = Golden.distillation(name)) {
            var student = TinyNetwork.of(golden, "student", true);
            var networks =
                    networks(
                            student,
                            TinyNetwork.of(golden, "target", false),
                            TinyNetwork.of(golden, "cond", false),
                            TinyNetwork.of(golden, "uncond", false));
            var indices =
                    Arrays.stream(golden.get("indices").toLongArray())
                            .mapToObj(Math::toIntExact)
                            .toList();
            var draw = new Draw(indices, golden.get("guidance"), golden.get("noise"));
            Tensor loss = objective.loss(networks, golden.get("clean"), draw);
            assertEquals(DType.FLOAT64, loss.dtype());
            golden.assertClose("loss", loss, BOUND);
            loss.backward();
            student.assertGradients(golden, BOUND);
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void targetAndTeacherGetNoGradients() throws Exception {
        var objective = new LatentConsistency(SCHEDULE, Prediction.EPSILON, 5, 15);
        try (var scope = TensorScope.open();
                var mode = Mode.GRAD.enter();
                var generator = new Generator(1);
                var golden = Golden.distillation("lcd_epsilon")) {
            var student = TinyNetwork.of(golden, "student", true);
            var target = TinyNetwork.of(golden, "target", true);
            var networks = networks(student, target, target, target);
            objective.loss(networks, golden.get("clean"), generator).backward();
            assertTrue(student.weights().getFirst().grad() != null);
            assertTrue(target.weights().getFirst().grad() == null);
        }
    }

    @Test
    void drawsTheWholeGridAndTheRangeOfGuidance() {
        var objective = new LatentConsistency(SCHEDULE, Prediction.EPSILON, 3, 15);
        try (var scope = TensorScope.open();
                var generator = new Generator(1)) {
            Draw draw = objective.draw(Tensor.randn(generator, 2000, 1), generator);
            assertEquals(50, draw.indices().stream().distinct().count());
            assertEquals(49, draw.indices().stream().mapToInt(i -> i).max().orElseThrow());
            assertEquals(3, draw.guidance().min().item(), 0.05);
            assertEquals(15, draw.guidance().max().item(), 0.05);
            var fixed = new LatentConsistency(SCHEDULE, Prediction.EPSILON, 7, 7);
            Tensor w = fixed.draw(Tensor.randn(generator, 5, 1), generator).guidance();
            assertEquals(7, w.min().item());
            assertEquals(7, w.max().item());
            assertFalse(w.requiresGrad());
        }
    }

    @Test
    void refusesWhatItCannotDistil() {
        var flow =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> new LatentConsistency(SCHEDULE, Prediction.FLOW, 5, 15));
        assertTrue(flow.getMessage().contains("flow"), flow.getMessage());
        assertThrows(
                IllegalArgumentException.class,
                () -> new LatentConsistency(SCHEDULE, Prediction.EPSILON, 15, 5));
        assertThrows(IllegalArgumentException.class, () -> Distance.pseudoHuber(0));
    }
}
