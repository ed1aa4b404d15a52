package dev.darkroom.training.objective;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Consistency;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.NoiseSource;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solvers;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.ParameterGroup;
import dev.darkroom.training.objective.LatentConsistency.Networks;
import dev.darkroom.training.proof.Points;
import dev.darkroom.training.proof.Training;

import org.junit.jupiter.api.Test;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Two steps of a distilled student against two of its teacher, on a mixture of eight narrow
 * Gaussians on a circle.
 */
class DistilledStudentTest {
    static final int BATCH = 256;
    static final NoiseSchedule SCHEDULE = NoiseSchedule.scaledLinear(1000, 0.00085, 0.012);

    /** Two layers, conditioned on the time by eight waves. */
    static final class Mlp extends Module {
        private final Linear in;
        private final Linear middle;
        private final Linear last;
        private final Linear out;

        Mlp(Weights w) {
            super(w);
            in = new Linear(w.sub("in"), 2 + 16, 96, true);
            middle = new Linear(w.sub("middle"), 96, 96, true);
            last = new Linear(w.sub("last"), 96, 96, true);
            out = new Linear(w.sub("out"), 96, 2, true);
        }

        Tensor forward(Tensor x, Tensor timesteps) {
            Tensor t = timesteps.to(DType.FLOAT32).dividedBy(1000).unsqueeze(1);
            Tensor angles = t.times(Tensor.copyOf(new float[] {1, 2, 3, 5, 8, 13, 21, 34}, 1, 8));
            Tensor hidden = in.forward(Ops.cat(1, x, angles.sin(), angles.cos())).silu();
            hidden = hidden.plus(middle.forward(hidden).silu());
            hidden = hidden.plus(last.forward(hidden).silu());
            return out.forward(hidden);
        }
    }

    /** Points around eight centres on the unit circle. */
    static Tensor data(int count, Generator generator) {
        Tensor angle =
                Tensor.randint(0, 8, Shape.of(count), generator, DType.INT64)
                        .to(DType.FLOAT32)
                        .times(Math.PI / 4);
        Tensor centres = Ops.stack(1, List.of(angle.cos(), angle.sin()));
        return centres.plus(Tensor.randn(generator, count, 2), 0.04);
    }

    static void train(
            Map<String, Parameter> parameters,
            int steps,
            double rate,
            Runnable after,
            Supplier<Tensor> loss) {
        var group = new ParameterGroup("all", parameters, rate, 0);
        try (var optimizer = new AdamW(List.of(group), AdamW.Options.DEFAULTS)) {
            for (int step = 0; step < steps; step++) {
                try (var scope = TensorScope.open();
                        var mode = Mode.GRAD.enter()) {
                    optimizer.zeroGrad();
                    loss.get().backward();
                    optimizer.step(Math.min(1, 2.0 * (steps - step) / steps));
                }
                after.run();
            }
        }
    }

    static double steps(String scheduler, Network network, long seed, int... timesteps) {
        try (var scope = TensorScope.open();
                var generator = new Generator(seed)) {
            NoiseSource noise =
                    (shape, dtype, device) -> Tensor.randn(shape, generator, dtype, device);
            Tensor x = Tensor.randn(generator, 1000, 2);
            List<NoiseLevel> levels = new ArrayList<>();
            for (int timestep : timesteps) {
                levels.add(SCHEDULE.level(timestep));
            }
            levels.add(NoiseLevel.CLEAN);
            Tensor actual =
                    scheduler.equals("lcm")
                            ? lcm(network, x, levels, noise)
                            : ddim(network, x, levels);
            return Points.energyDistance(actual, data(1000, generator));
        }
    }

    private static Tensor predict(Network network, Tensor x, NoiseLevel at) {
        Tensor times = Tensor.full(Shape.of(x.size(0)), at.timestep(), DType.FLOAT32, Device.CPU);
        return Prediction.SAMPLE.denoised(network.predict(x, times), x, at);
    }

    private static Tensor ddim(Network network, Tensor x, List<NoiseLevel> levels) {
        return Solvers.ddim(
                (xi, at) -> new Denoised(predict(network, xi, at)),
                x,
                levels,
                0,
                (shape, dtype, device) -> Tensor.zeros(shape, dtype, device),
                StepListener.NONE);
    }

    private static Tensor lcm(
            Network network, Tensor x, List<NoiseLevel> levels, NoiseSource noise) {
        return Solvers.lcm(
                Consistency.boundary((xi, at) -> new Denoised(predict(network, xi, at)), 10),
                x,
                levels,
                noise,
                StepListener.NONE);
    }

    private static Mlp random() {
        return Weights.random(1, DType.FLOAT32, Device.CPU, Mlp::new);
    }

    /** A teacher that predicts x0. */
    static Mlp teacher(Generator generator) {
        Mlp teacher = random();
        teacher.train();
        train(
                teacher.trainable(),
                3000,
                2e-3,
                () -> {},
                () -> {
                    Tensor clean = data(BATCH, generator);
                    Tensor noise = Tensor.randn(generator, BATCH, 2);
                    long[] times =
                            Tensor.randint(0, 1000, Shape.of(BATCH), generator, DType.INT64)
                                    .toLongArray();
                    int[] t = Arrays.stream(times).mapToInt(Math::toIntExact).toArray();
                    Tensor noisy = SCHEDULE.noised(clean, noise, t);
                    return Ops.meanSquaredError(
                            teacher.forward(noisy, Tensor.copyOf(times, BATCH)), clean);
                });
        teacher.eval();
        return teacher;
    }

    @Test
    void twoStepsOfTheStudentBeatTwoOfTheTeacher() {
        var objective = new LatentConsistency(SCHEDULE, Prediction.SAMPLE, 0, 0);
        try (var generator = new Generator(7);
                var teacher = teacher(generator);
                var student = random();
                var average = random()) {
            double before = steps("ddim", teacher::forward, 11, 999, 499);
            double untrained = steps("lcm", teacher::forward, 11, 999, 499);
            Training.copy(teacher, student, 1);
            Training.copy(teacher, average, 1);
            student.train();
            Condition none = Condition.of("none", Tensor.zeros(DType.FLOAT32, BATCH));
            var networks =
                    new Networks(
                            any -> student::forward,
                            any -> average::forward,
                            any -> teacher::forward,
                            none,
                            none);
            train(
                    student.trainable(),
                    3000,
                    5e-4,
                    () -> Training.copy(student, average, 0.05),
                    () -> objective.loss(networks, data(BATCH, generator), generator));
            double after = steps("lcm", average::forward, 11, 999, 499);

            String actual =
                    "energy distance of two steps: teacher %.4f (DDIM), %.4f (LCM); student %.4f"
                            .formatted(before, untrained, after);
            assertTrue(before > 0.2 && untrained > 0.2, actual);
            assertTrue(after < 0.05, actual);
        }
    }
}
