package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/**
 * What is random in a loss of a flow map: for each sample an interval of a flow's times, whose
 * average velocity is learned, and noise. The timestep of networks is 1000 times the time.
 *
 * @param starts each sample's t, 0 … 1
 * @param ends each sample's r, 0 … t; where it is t, the flow's own velocity is learned
 * @param noise standard normal {@code [N,C,…]}
 */
public record FlowIntervals(List<Double> starts, List<Double> ends, Tensor noise) {
    /**
     * Checks the times.
     *
     * @throws IllegalArgumentException if an interval does not lie between 0 and 1, or ends before
     *     it starts
     */
    public FlowIntervals {
        starts = List.copyOf(starts);
        ends = List.copyOf(ends);
        boolean fits = starts.size() == ends.size();
        for (int i = 0; fits && i < starts.size(); i++) {
            fits = 0 <= ends.get(i) && ends.get(i) <= starts.get(i) && starts.get(i) <= 1;
        }
        if (!fits) {
            throw new IllegalArgumentException(
                    "a flow's intervals start at 1 at most and end no later, at 0 at least,"
                            + " not "
                            + starts
                            + " and "
                            + ends);
        }
    }

    /**
     * Draws which samples learn the flow's own velocity, and noise.
     *
     * @param instantaneous the share of those samples
     * @param times for them, one for each sample
     * @param interval the start and the end for the others, by their index
     */
    static FlowIntervals draw(
            Tensor clean,
            Generator generator,
            double instantaneous,
            double[] times,
            IntFunction<double[]> interval) {
        double[] chosen = Batches.uniform(clean, generator);
        List<Double> starts = new ArrayList<>();
        List<Double> ends = new ArrayList<>();
        for (int i = 0; i < chosen.length; i++) {
            boolean instant = chosen[i] < instantaneous;
            double[] each = instant ? new double[] {times[i], times[i]} : interval.apply(i);
            starts.add(each[0]);
            ends.add(each[1]);
        }
        return new FlowIntervals(starts, ends, Batches.noise(clean, generator));
    }

    static void requireShare(double instantaneous) {
        if (!(instantaneous >= 0 && instantaneous <= 1)) {
            throw new IllegalArgumentException(
                    "instantaneous is a share of the samples from 0 to 1, not " + instantaneous);
        }
    }

    /** The data with the noise of where the intervals start. */
    Tensor noised(Tensor clean) {
        return NoiseSchedule.noised(
                clean, noise, starts.stream().map(FlowMatching::level).toList());
    }

    /** How long the intervals are, {@code [N,1,…]}. */
    Tensor lengths(Tensor clean) {
        return column(clean, starts).minus(column(clean, ends));
    }

    private static Tensor column(Tensor clean, List<Double> times) {
        return Batches.column(clean, times.stream().mapToDouble(t -> t).toArray());
    }

    /**
     * What a network predicts for the intervals, {@code [N,C,…]}.
     *
     * @param later how much later they start
     */
    Tensor predict(Network network, Tensor x, double later) {
        Tensor output = network.predict(x, timesteps(x, starts, later), timesteps(x, ends, 0));
        return Batches.sameShape(output, x);
    }

    private static Tensor timesteps(Tensor x, List<Double> times, double later) {
        return Batches.vector(
                x, times.stream().mapToDouble(t -> FlowMatching.TIMESTEPS * (t + later)).toArray());
    }
}
