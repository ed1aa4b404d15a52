package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

/**
 * Normalises groups of channels to mean 0 and variance 1, then scales and shifts each channel (Wu
 * and He 2018, "Group Normalization"). Keys: {@code weight [C]}, {@code bias [C]}.
 */
public final class GroupNorm extends Module {
    private final Parameter weight;
    private final Parameter bias;
    private final long groups;
    private final double eps;

    /**
     * Declares a norm of groups of channels.
     *
     * @throws IllegalArgumentException if the channels do not divide into the groups
     */
    public GroupNorm(Weights w, long groups, long channels, double eps) {
        super(w);
        if (groups < 1 || channels % groups != 0) {
            throw new IllegalArgumentException(
                    w.path()
                            + ": "
                            + channels
                            + " channels do not divide into "
                            + groups
                            + " groups");
        }
        weight = w.parameter("weight", Shape.of(channels), Init.ONES);
        bias = w.parameter("bias", Shape.of(channels), Init.ZEROS);
        this.groups = groups;
        this.eps = eps;
    }

    /**
     * Applies the norm.
     *
     * @param x {@code [N,C,...]}
     * @return {@code [N,C,...]}
     */
    public Tensor forward(Tensor x) {
        return Ops.groupNorm(x, groups, weight.value(), bias.value(), eps);
    }
}
