package dev.darkroom.training.proof;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

/** A network of points in the plane, conditioned on the time, or two, by eight waves each. */
final class PointNetwork extends Module {
    private final Linear in;
    private final Linear middle;
    private final Linear last;
    private final Linear out;

    private PointNetwork(Weights w, int times) {
        super(w);
        in = new Linear(w.sub("in"), 2 + 8 + 16L * times, 96, true);
        middle = new Linear(w.sub("middle"), 96, 96, true);
        last = new Linear(w.sub("last"), 96, 96, true);
        out = new Linear(w.sub("out"), 96, 2, true);
    }

    static PointNetwork random(long seed) {
        return random(seed, 1);
    }

    /** A network of two times, the student of a flow map. */
    static PointNetwork ofTwoTimes(long seed) {
        return random(seed, 2);
    }

    private static PointNetwork random(long seed, int times) {
        return Weights.random(seed, DType.FLOAT32, Device.CPU, w -> new PointNetwork(w, times));
    }

    /**
     * Predicts.
     *
     * @param x {@code [N,2]}
     * @param timesteps 0 … 1000 {@code [N]}
     * @return {@code [N,2]}
     */
    Tensor forward(Tensor x, Tensor timesteps) {
        return ofTimes(x, waves(timesteps));
    }

    /**
     * Predicts for steps, if it is of two times.
     *
     * @param x {@code [N,2]}
     * @param timesteps where they start, 0 … 1000 {@code [N]}
     * @param ends where they end
     * @return {@code [N,2]}
     */
    Tensor forward(Tensor x, Tensor timesteps, Tensor ends) {
        return ofTimes(x, Ops.cat(1, waves(timesteps), waves(timesteps.minus(ends))));
    }

    /** {@code [N]} to {@code [N,16]}. */
    private static Tensor waves(Tensor timesteps) {
        Tensor t = timesteps.to(DType.FLOAT32).dividedBy(1000).unsqueeze(1);
        Tensor angles = t.times(Tensor.copyOf(new float[] {1, 2, 3, 5, 8, 13, 21, 34}, 1, 8));
        return Ops.cat(1, angles.sin(), angles.cos());
    }

    private Tensor ofTimes(Tensor x, Tensor waves) {
        Tensor w = Ops.cat(1, x.times(2), x.times(4));
        Tensor hidden = in.forward(Ops.cat(1, x, w.sin(), w.cos(), waves)).silu(); // [N,96]
        hidden = hidden.plus(middle.forward(hidden).silu());
        hidden = hidden.plus(last.forward(hidden).silu());
        return out.forward(hidden);
    }
}
