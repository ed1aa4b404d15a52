package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.Solvers;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Flow matching along straight lines, rectified flow: at x = (1 − t)·x0 + t·ε, the network learns
 * the velocity ε − x0 (Liu et al. 2022, arXiv:2209.03003, equation 1; Lipman et al. 2022,
 * arXiv:2210.02747). The timestep of networks is 1000·t.
 *
 * @param times how t is distributed
 * @param coupling which noise goes with which sample
 */
public record FlowMatching(FlowTimes times, Coupling coupling) implements Objective {
    /** How many timesteps of a network a flow's time from 0 to 1 is. */
    static final double TIMESTEPS = 1000;

    /**
     * What is random in a loss.
     *
     * @param times each sample's t, 0 … 1
     * @param noise standard normal {@code [N,C,…]}
     */
    public record Draw(List<Double> times, Tensor noise) {}

    /** Pairs data with independent noise. */
    public FlowMatching(FlowTimes times) {
        this(times, Coupling.INDEPENDENT);
    }

    /** Returns the level of a time, with the network's timestep. */
    public static NoiseLevel level(double t) {
        return NoiseLevel.flow(t, TIMESTEPS * t);
    }

    @Override
    public Tensor loss(Network network, Tensor clean, Generator generator) {
        try (var scope = TensorScope.open()) {
            List<Double> eachTime = drawTimes(clean, generator);
            Tensor noise = coupling.couple(clean, Batches.noise(clean, generator));
            return scope.keep(loss(network, clean, new Draw(eachTime, noise)));
        }
    }

    /**
     * Returns the loss of pairs: reflow, if they are the two ends of {@link #rectified}
     * trajectories (Liu et al. 2022, algorithm 1). The coupling is theirs.
     *
     * @param clean where the trajectories ended {@code [N,C,…]}
     * @param noise where they began {@code [N,C,…]}
     * @return a scalar, float32
     */
    public Tensor loss(Network network, Tensor clean, Tensor noise, Generator generator) {
        return loss(network, clean, new Draw(drawTimes(clean, generator), noise));
    }

    /**
     * Returns the loss of a batch.
     *
     * @param clean data {@code [N,C,…]}
     * @return a scalar, float32
     */
    public Tensor loss(Network network, Tensor clean, Draw draw) {
        List<NoiseLevel> levels = draw.times.stream().map(FlowMatching::level).toList();
        try (var scope = TensorScope.open()) {
            Tensor x = NoiseSchedule.noised(clean, draw.noise, levels);
            Tensor output = network.predict(x, Batches.timesteps(x, levels));
            Tensor target = NoiseSchedule.target(Prediction.FLOW, clean, draw.noise, levels);
            return scope.keep(
                    Distance.SQUARED.between(Batches.sameShape(output, x), target).mean());
        }
    }

    /**
     * Data for reflow: where the current network's ODE leads from noise, by Euler's method, without
     * gradients.
     *
     * @param denoiser the current network
     * @param noise standard normal {@code [N,C,…]}
     * @param steps at least 1
     */
    public static Tensor rectified(Denoiser denoiser, Tensor noise, int steps) {
        List<NoiseLevel> levels =
                IntStream.rangeClosed(0, steps)
                        .mapToObj(i -> level(1 - (double) i / steps))
                        .toList();
        try (var mode = Mode.current().withGradients(false).enter()) {
            return Solvers.euler(denoiser, noise, levels, StepListener.NONE);
        }
    }

    private List<Double> drawTimes(Tensor clean, Generator generator) {
        return Arrays.stream(times.draw(clean, generator)).boxed().toList();
    }
}
