package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.ConditionedNetwork;
import dev.darkroom.models.diffusion.Consistency;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Arrays;
import java.util.List;

/**
 * Latent consistency distillation (Luo et al. 2023, arXiv:2310.04378, algorithm 1 with skipping
 * steps): the student's x̂0 at one timestep of a grid shall be what the target finds at the next,
 * cleaner one, where a guided DDIM step of the teacher leads.
 *
 * <p>The boundary conditions and the grid are those that {@code LCMScheduler} samples with.
 *
 * @param schedule of the teacher
 * @param prediction what teacher and student predict; not {@link Prediction#FLOW}
 * @param gridSteps timesteps of the grid; 50 of 1000 are 19, 39 … 999
 * @param timestepScaling what the timestep is multiplied by in the boundary conditions
 * @param leastGuidance the least w; estimates are guided as cond + w·(cond − uncond)
 * @param greatestGuidance the greatest w; equal to the least for a student of one guidance
 * @param distance of x̂0 from the target's; where the target is the student itself and no moving
 *     average, {@link Distance#SQUARED}: with an absolute value, or a pseudo-Huber distance whose c
 *     is below what neighbours on the grid differ by, all timesteps pull alike, and those whose
 *     targets move along outvote the one that the boundary condition holds
 */
public record LatentConsistency(
        NoiseSchedule schedule,
        Prediction prediction,
        int gridSteps,
        double timestepScaling,
        double leastGuidance,
        double greatestGuidance,
        Distance distance) {
    /**
     * What takes part in a loss.
     *
     * @param student is trained
     * @param target the student's moving average; the student itself where LoRA adapters are
     *     trained
     * @param teacher is distilled
     * @param conditional the conditions of the batch
     * @param unconditional the empty condition for each sample
     */
    public record Networks(
            ConditionedNetwork student,
            ConditionedNetwork target,
            ConditionedNetwork teacher,
            Condition conditional,
            Condition unconditional) {
        /** Returns the condition with each sample's guidance. */
        private Condition guided(Tensor w) {
            return conditional.with(Condition.DISTILLED_GUIDANCE, w);
        }
    }

    /**
     * What is random in a loss.
     *
     * @param indices each sample's index in the grid, from 0
     * @param guidance each sample's w, float32 {@code [N]}
     * @param noise standard normal {@code [N,C,…]}
     */
    public record Draw(List<Integer> indices, Tensor guidance, Tensor noise) {}

    public LatentConsistency {
        if (prediction == Prediction.FLOW) {
            throw new IllegalArgumentException(
                    "latent consistency distillation needs a teacher that predicts epsilon, v or"
                            + " x0, not a flow");
        }
        if (gridSteps < 1 || gridSteps > schedule.timesteps()) {
            throw new IllegalArgumentException(
                    "the grid has from 1 to "
                            + schedule.timesteps()
                            + " timesteps, not "
                            + gridSteps);
        }
        if (!(leastGuidance <= greatestGuidance)
                || !Double.isFinite(leastGuidance)
                || !Double.isFinite(greatestGuidance)) {
            throw new IllegalArgumentException(
                    "guidance is drawn from a finite range, the least first, not from "
                            + leastGuidance
                            + " to "
                            + greatestGuidance);
        }
        if (!(timestepScaling > 0)) {
            throw new IllegalArgumentException(
                    "the timestep scaling is positive, not " + timestepScaling);
        }
    }

    /**
     * Returns the published recipe: 50 steps, timesteps scaled by 10, pseudo-Huber distance with c
     * = 0.001.
     *
     * @param leastGuidance see the record
     * @param greatestGuidance see the record
     */
    public LatentConsistency(
            NoiseSchedule schedule,
            Prediction prediction,
            double leastGuidance,
            double greatestGuidance) {
        this(
                schedule,
                prediction,
                50,
                10,
                leastGuidance,
                greatestGuidance,
                Distance.pseudoHuber(0.001));
    }

    /**
     * Returns the loss of a batch, with given random values.
     *
     * @param clean latents {@code [N,C,…]}
     * @return a scalar, float32, or float64 where the latents are
     */
    public Tensor loss(Networks networks, Tensor clean, Generator generator) {
        try (var scope = TensorScope.open()) {
            return scope.keep(loss(networks, clean, draw(clean, generator)));
        }
    }

    /** Draws on the CPU, so that a seed gives the same everywhere: indices, guidance, noise. */
    Draw draw(Tensor clean, Generator generator) {
        Shape batch = Shape.of(clean.size(0));
        Tensor indices = Tensor.randint(0, gridSteps, batch, generator, DType.INT64);
        Tensor guidance =
                Tensor.rand(batch, generator, DType.FLOAT32, Device.CPU)
                        .times(greatestGuidance - leastGuidance)
                        .plus(leastGuidance);
        Tensor noise = Batches.noise(clean, generator);
        return new Draw(
                Arrays.stream(indices.toLongArray()).mapToObj(Math::toIntExact).toList(),
                guidance.to(clean.device()),
                noise);
    }

    /**
     * Returns the loss of a batch.
     *
     * @param clean latents {@code [N,C,…]}
     * @return a scalar, float32, or float64 where the latents are
     */
    public Tensor loss(Networks networks, Tensor clean, Draw draw) {
        int stride = schedule.timesteps() / gridSteps;
        List<NoiseLevel> from =
                draw.indices.stream().map(i -> schedule.level((i + 1) * stride - 1)).toList();
        List<NoiseLevel> to =
                draw.indices.stream()
                        .map(i -> schedule.level(Math.max(i * stride - 1, 0)))
                        .toList();
        Tensor w = draw.guidance;
        try (var scope = TensorScope.open()) {
            Tensor noisy = NoiseSchedule.noised(clean, draw.noise, from);
            Tensor target;
            try (var mode = Mode.current().withGradients(false).enter()) {
                Tensor next = solve(networks, noisy, from, to, w);
                target = consistency(networks.target.bind(networks.guided(w)), next, to);
            }
            Tensor estimate = consistency(networks.student.bind(networks.guided(w)), noisy, from);
            return scope.keep(distance.between(estimate, target).mean());
        }
    }

    /**
     * Returns a DDIM step of the guided teacher (equation 17, with w for the guidance scale less
     * 1).
     */
    private Tensor solve(
            Networks networks, Tensor x, List<NoiseLevel> from, List<NoiseLevel> to, Tensor w) {
        Tensor times = timesteps(x, from);
        Network conditional = networks.teacher.bind(networks.conditional);
        Network unconditional = networks.teacher.bind(networks.unconditional);
        Estimate cond = estimate(conditional.predict(x, times), x, from);
        Estimate uncond = estimate(unconditional.predict(x, times), x, from);
        Tensor scale = Batches.column(x, w); // [N,1,…]
        Tensor x0 = cond.x0().plus(scale.times(cond.x0().minus(uncond.x0())));
        Tensor epsilon = cond.epsilon().plus(scale.times(cond.epsilon().minus(uncond.epsilon())));
        return NoiseSchedule.noised(x0, epsilon, to);
    }

    /** c_skip·x + c_out·x̂0, the identity at timestep 0 (equation 9). */
    private Tensor consistency(Network network, Tensor x, List<NoiseLevel> at) {
        Tensor x0 = estimate(network.predict(x, timesteps(x, at)), x, at).x0();
        return x0.times(Batches.column(x, at, level -> Consistency.out(scaled(level))))
                .plus(x.times(Batches.column(x, at, level -> Consistency.skip(scaled(level)))));
    }

    private double scaled(NoiseLevel at) {
        return at.timestep() * timestepScaling;
    }

    /** Returns what the first C channels stand for. */
    private Estimate estimate(Tensor predicted, Tensor x, List<NoiseLevel> at) {
        return Estimate.of(prediction, predicted.narrow(1, 0, x.size(1)), x, at);
    }

    private static Tensor timesteps(Tensor x, List<NoiseLevel> at) {
        long[] values = at.stream().mapToLong(level -> (long) level.timestep()).toArray();
        return Tensor.copyOf(values, values.length).to(x.device());
    }
}
