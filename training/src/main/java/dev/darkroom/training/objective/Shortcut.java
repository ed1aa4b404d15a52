package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.Network;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.List;
import java.util.stream.IntStream;

/**
 * Shortcut models (Frans et al. 2024, arXiv:2410.12557, algorithm 1): a network of two times learns
 * the velocity of the flow where both are the same, and over intervals of 1, 1/2, 1/4 … that one
 * step leads where two steps over its halves lead.
 *
 * @param times how the times are distributed at which the velocity is learned
 * @param instantaneous the share of samples that learn it; 0.75 in the paper
 * @param finest into how many steps the flow's time is divided, a power of 2 from 2; 128 in the
 *     paper. Halves of that length are steps of the velocity itself
 */
public record Shortcut(FlowTimes times, double instantaneous, int finest) implements Objective {
    public Shortcut {
        FlowIntervals.requireShare(instantaneous);
        if (finest < 2 || Integer.bitCount(finest) != 1) {
            throw new IllegalArgumentException(
                    "the finest steps of shortcuts are a power of 2 from 2, not " + finest);
        }
    }

    @Override
    public Tensor loss(Network network, Tensor clean, Generator generator) {
        double[] instants = times.draw(clean, generator);
        double[] sizes = Batches.uniform(clean, generator);
        double[] places = Batches.uniform(clean, generator);
        int halvings = Integer.numberOfTrailingZeros(finest);
        try (var scope = TensorScope.open()) {
            var draw =
                    FlowIntervals.draw(
                            clean,
                            generator,
                            instantaneous,
                            instants,
                            i -> {
                                int pieces = 1 << (int) (sizes[i] * halvings); // 1 … finest / 2
                                double end = Math.floor(places[i] * pieces);
                                return new double[] {(end + 1) / pieces, end / pieces};
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
     * @throws IllegalArgumentException if the network takes one time alone
     */
    public Tensor loss(Network network, Tensor clean, FlowIntervals draw) {
        try (var scope = TensorScope.open()) {
            Tensor x = draw.noised(clean);
            Tensor target;
            try (var mode = Mode.current().withGradients(false).enter()) {
                Tensor lengths = draw.lengths(clean);
                List<Double> middles = middles(draw);
                Tensor first = asked(draw.starts(), middles, draw).predict(network, x, 0);
                Tensor there = x.minus(first.times(lengths.dividedBy(2)));
                Tensor second = asked(middles, draw.ends(), draw).predict(network, there, 0);
                target =
                        lengths.gt(0)
                                .where(first.plus(second).dividedBy(2), draw.noise().minus(clean));
            }
            return scope.keep(Distance.SQUARED.between(draw.predict(network, x, 0), target).mean());
        }
    }

    private static List<Double> middles(FlowIntervals draw) {
        return IntStream.range(0, draw.starts().size())
                .mapToObj(i -> (draw.starts().get(i) + draw.ends().get(i)) / 2)
                .toList();
    }

    /** The intervals that the network is asked for; the finest are instants. */
    private FlowIntervals asked(List<Double> starts, List<Double> ends, FlowIntervals draw) {
        List<Double> asked =
                IntStream.range(0, starts.size())
                        .mapToObj(
                                i ->
                                        starts.get(i) - ends.get(i) > 1.0 / finest
                                                ? ends.get(i)
                                                : starts.get(i))
                        .toList();
        return new FlowIntervals(starts, asked, draw.noise());
    }
}
