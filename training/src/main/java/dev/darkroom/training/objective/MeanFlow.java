package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.Network;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

/**
 * MeanFlow (Geng et al. 2025, arXiv:2505.13447, algorithm 1): a network of two times learns the
 * average velocity u(x, r, t) of the flow from t to r by what that is everywhere, v − (t −
 * r)·du/dt, where v is the flow's velocity and du/dt the change along it. No teacher is needed, and
 * one step then leads from noise to data.
 *
 * <p>du/dt is a central difference over ±0.001 of time in place of the paper's Jacobian-vector
 * product: two evaluations more, without gradients, in float32 at least.
 *
 * @param times how the two times are distributed; the later one is t
 * @param instantaneous the share of samples with r = t, which learn v; 0.75 in the paper
 * @param power p of the weight of a sample's squared error d², 1/(d² + 0.001)^p: 1 in the paper, 0
 *     for squared errors, 0.5 where samples have few values
 */
public record MeanFlow(FlowTimes times, double instantaneous, double power) implements Objective {
    private static final double DT = 1e-3;
    private static final double LEAST = 1e-3;

    public MeanFlow {
        FlowIntervals.requireShare(instantaneous);
        if (!(power >= 0) || Double.isInfinite(power)) {
            throw new IllegalArgumentException(
                    "the power of a weight is finite and from 0, not " + power);
        }
    }

    @Override
    public Tensor loss(Network network, Tensor clean, Generator generator) {
        double[] one = times.draw(clean, generator);
        double[] other = times.draw(clean, generator);
        try (var scope = TensorScope.open()) {
            var draw =
                    FlowIntervals.draw(
                            clean,
                            generator,
                            instantaneous,
                            one,
                            i ->
                                    new double[] {
                                        Math.max(one[i], other[i]), Math.min(one[i], other[i])
                                    });
            return scope.keep(loss(network, clean, draw));
        }
    }

    /**
     * Returns the loss of a batch.
     *
     * @param network takes two times
     * @param clean data {@code [N,C,…]}
     * @return a scalar, float32
     * @throws IllegalArgumentException if the network takes one time alone, or the data's type is
     *     too narrow for differences
     */
    public Tensor loss(Network network, Tensor clean, FlowIntervals draw) {
        if (clean.dtype().bytes() < DType.FLOAT32.bytes()) {
            throw new IllegalArgumentException(
                    "MeanFlow takes differences of what the network predicts, for which "
                            + clean.dtype()
                            + " is too coarse; train in float32");
        }
        try (var scope = TensorScope.open()) {
            Tensor x = draw.noised(clean);
            Tensor velocity = draw.noise().minus(clean);
            Tensor target;
            try (var mode = Mode.current().withGradients(false).enter()) {
                Tensor change =
                        draw.predict(network, x.plus(velocity, DT), DT)
                                .minus(draw.predict(network, x.plus(velocity, -DT), -DT))
                                .dividedBy(2 * DT);
                target = velocity.minus(change.times(draw.lengths(clean)));
            }
            Tensor error = draw.predict(network, x, 0).minus(target).to(DType.FLOAT32);
            Tensor squares = error.square().flatten(1, -1).sum(false, 1); // [N]
            Tensor weights = squares.detach().plus(LEAST).pow(-power);
            return scope.keep(squares.times(weights).mean());
        }
    }
}
