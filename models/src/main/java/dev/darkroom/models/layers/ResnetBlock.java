package dev.darkroom.models.layers;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

import java.util.List;

/**
 * A residual block (He et al. 2016) of two convolutions, each after a norm. In a U-Net, the
 * timestep shifts its channels in between (Ho et al. 2020, arXiv:2006.11239, appendix B), or scales
 * and shifts them after the second norm (Dhariwal and Nichol 2021, arXiv:2105.05233, section 3).
 */
public final class ResnetBlock extends Module {
    private final GroupNorm norm1;
    private final Conv2d conv1;
    private final @Nullable Linear timeEmbProj;
    private final GroupNorm norm2;
    private final Conv2d conv2;
    private final @Nullable Conv2d convShortcut;
    private final Activation activation;
    private final boolean scaleShift;
    private final Resampling resampling;

    /** A change of the resolution between the first norm and the first convolution. */
    public enum Resampling {
        /** None. */
        NONE,
        /** Half the height and width, by averages. */
        HALVED,
        /** Twice the height and width, by nearest neighbours. */
        DOUBLED;

        /** Resamples {@code [N,C,H,W]}. */
        Tensor of(Tensor x) {
            return switch (this) {
                case NONE -> x;
                case HALVED -> Ops.averagePool(x, 2);
                case DOUBLED -> Ops.resizeNearest(x, 2 * x.size(2), 2 * x.size(3));
            };
        }
    }

    /**
     * What the residual blocks of a network have in common.
     *
     * @param groups of the norms
     * @param eps added to the variance in norms
     * @param activation after each norm
     * @param timeWidth the width of the timestep's embedding; null in a network without timesteps
     * @param scaleShift whether the timestep scales and shifts after the second norm, instead of
     *     shifting before it
     */
    public record Options(
            int groups,
            double eps,
            Activation activation,
            @Nullable Integer timeWidth,
            boolean scaleShift) {
        /** What blocks have in common whose channels the timestep shifts, if there is one. */
        public Options(int groups, double eps, Activation activation, @Nullable Integer timeWidth) {
            this(groups, eps, activation, timeWidth, false);
        }
    }

    /** Declares a block from {@code in} to {@code out} channels. */
    public ResnetBlock(Weights w, long in, long out, Options options) {
        this(w, in, out, options, Resampling.NONE);
    }

    /** Declares a block from {@code in} to {@code out} channels that changes the resolution. */
    public ResnetBlock(Weights w, long in, long out, Options options, Resampling resampling) {
        super(w);
        this.resampling = resampling;
        scaleShift = options.scaleShift();
        norm1 = new GroupNorm(w.sub("norm1"), options.groups(), in, options.eps());
        conv1 = new Conv2d(w.sub("conv1"), in, out, 3, 1);
        timeEmbProj =
                options.timeWidth() == null
                        ? null
                        : Linear.asInPyTorch(
                                w.sub("time_emb_proj"),
                                options.timeWidth(),
                                scaleShift ? 2 * out : out,
                                true);
        norm2 = new GroupNorm(w.sub("norm2"), options.groups(), out, options.eps());
        conv2 = new Conv2d(w.sub("conv2"), out, out, 3, 1);
        convShortcut = in == out ? null : new Conv2d(w.sub("conv_shortcut"), in, out, 1, 0);
        activation = options.activation();
    }

    /** Applies the block of a network without timesteps, as {@link #forward(Tensor, Tensor)}. */
    public Tensor forward(Tensor x) {
        return forward(x, null);
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,in,H,W]}
     * @param time the timestep's embedding {@code [N,timeWidth]}, or {@code [1,timeWidth]} for all;
     *     null in a network without timesteps
     * @return {@code [N,out,H,W]}, with the height and width that the {@link Resampling} makes
     * @throws IllegalArgumentException if the timestep is missing, or is one too many
     */
    public Tensor forward(Tensor x, @Nullable Tensor time) {
        requireTime(time);
        try (var scope = TensorScope.open()) {
            Tensor h = first(x); // [N,out,H',W']
            h = timed(h, time);
            Tensor shortcut = resampling.of(x);
            shortcut = convShortcut == null ? shortcut : convShortcut.forward(shortcut);
            return scope.keep(shortcut.plus(h));
        }
    }

    private Tensor first(Tensor x) {
        try (var scope = TensorScope.open()) {
            Tensor normed = activation.apply(norm1.forward(x));
            return scope.keep(conv1.forward(resampling.of(normed)));
        }
    }

    /** The second convolution, after a norm that the timestep acts before or behind. */
    private Tensor timed(Tensor h, @Nullable Tensor time) {
        try (var scope = TensorScope.open()) {
            Tensor normed;
            if (timeEmbProj == null || time == null) {
                normed = norm2.forward(h);
            } else {
                Tensor condition = timeEmbProj.forward(activation.apply(time));
                condition = condition.unsqueeze(2).unsqueeze(3); // [N,out,1,1] or [N,2·out,1,1]
                if (scaleShift) {
                    List<Tensor> parts = condition.chunk(2, 1); // scale and shift
                    normed = norm2.forward(h).times(parts.get(0).plus(1)).plus(parts.get(1));
                } else {
                    normed = norm2.forward(h.plus(condition));
                }
            }
            return scope.keep(conv2.forward(activation.apply(normed)));
        }
    }

    private void requireTime(@Nullable Tensor time) {
        if ((timeEmbProj == null) != (time == null)) {
            throw new IllegalArgumentException(
                    time == null
                            ? "a block of a network with timesteps needs their embedding"
                            : "a block of a network without timesteps takes none");
        }
    }
}
