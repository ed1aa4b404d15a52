package dev.darkroom.training.objective;

import static dev.darkroom.training.objective.DistilledStudentTest.BATCH;
import static dev.darkroom.training.objective.DistilledStudentTest.SCHEDULE;
import static dev.darkroom.training.objective.DistilledStudentTest.data;
import static dev.darkroom.training.objective.DistilledStudentTest.steps;
import static dev.darkroom.training.objective.DistilledStudentTest.teacher;
import static dev.darkroom.training.objective.DistilledStudentTest.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.ConditionedNetwork;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.lora.Lora;
import dev.darkroom.models.lora.LoraConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.training.objective.LatentConsistency.Networks;

import org.junit.jupiter.api.Test;

import java.util.List;

/**
 * Latent consistency distilled into LoRA adapters: the teacher is the network without them, the
 * target the student itself, on the points of {@link DistilledStudentTest}.
 *
 * <p>The distance is the squared one. With the pseudo-Huber distance of c = 0.001 (an absolute
 * value, for neighbours on the grid are 0.01 apart here) the student gets worse than its teacher,
 * and so does a whole network without a moving average: each of the 49 timesteps whose target moves
 * along with the student pulls as hard as the one that is held by the boundary condition, however
 * small its error, and outvotes it. Squared differences add up to what the boundary pulls back. A
 * moving average as the target, which stands still for a while, has the same effect.
 */
class DistilledAdaptersTest {
    private static final int[] TWO = {999, 499};
    private static final int[] FOUR = {999, 759, 499, 259};

    @Test
    void fewStepsOfTheAdaptedNetworkBeatAsManyOfTheNetwork() {
        var objective =
                new LatentConsistency(SCHEDULE, Prediction.SAMPLE, 50, 10, 0, 0, Distance.SQUARED);
        long live = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var generator = new Generator(7);
                var network = teacher(generator);
                var lora =
                        Lora.create(
                                network,
                                new LoraConfig(64, 64, List.of("in", "middle", "last", "out")),
                                generator)) {
            Tensor x = data(BATCH, generator);
            Tensor times = Tensor.full(Shape.of(BATCH), 499, DType.FLOAT32, Device.CPU);
            Tensor before = network.forward(x, times);
            double[] teacher = distances("ddim", network::forward);
            double[] untrained = distances("lcm", network::forward);
            ConditionedNetwork withoutAdapters =
                    any ->
                            (noisy, at) -> {
                                try (var off = lora.disabled()) {
                                    return network.forward(noisy, at);
                                }
                            };
            ConditionedNetwork student = any -> network::forward;
            Condition none = Condition.of("none", Tensor.zeros(DType.FLOAT32, BATCH));
            var networks = new Networks(student, student, withoutAdapters, none, none);
            lora.train(true);
            train(
                    lora.parameters(),
                    3000,
                    2e-4,
                    () -> {},
                    () -> objective.loss(networks, data(BATCH, generator), generator));
            double[] after = distances("lcm", network::forward);
            String actual =
                    "energy distance of two and four steps: teacher %.4f %.4f (DDIM), %.4f %.4f"
                                    .formatted(teacher[0], teacher[1], untrained[0], untrained[1])
                            + " (LCM); adapted %.4f %.4f".formatted(after[0], after[1]);
            assertTrue(teacher[0] > 0.2 && untrained[0] > 0.2, actual);
            assertTrue(teacher[1] > 0.08 && untrained[1] > 0.08, actual);
            assertTrue(after[0] < 0.05 && after[1] < 0.05, actual);
            try (var off = lora.disabled()) {
                assertTrue(before.contentEquals(network.forward(x, times)));
            }
        }
        assertEquals(live, Memory.liveTensors());
    }

    /** Of two and of four steps. */
    private static double[] distances(String scheduler, Network network) {
        return new double[] {
            steps(scheduler, network, 11, TWO), steps(scheduler, network, 11, FOUR)
        };
    }
}
