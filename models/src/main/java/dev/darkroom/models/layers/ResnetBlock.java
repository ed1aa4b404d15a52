package dev.darkroom.models.layers;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

/**
 * A residual block (He et al. 2016) of two convolutions, each after a norm. In a U-Net, the
 * timestep shifts its channels in between (Ho et al. 2020, arXiv:2006.11239, appendix B).
 */
public final class ResnetBlock extends Module {
    private final GroupNorm norm1;
    private final Conv2d conv1;
    private final @Nullable Linear timeEmbProj;
    private final GroupNorm norm2;
    private final Conv2d conv2;
    private final @Nullable Conv2d convShortcut;
    private final Activation activation;

    /**
     * What the residual blocks of a network have in common.
     *
     * @param groups of the norms
     * @param eps added to the variance in norms
     * @param activation after each norm
     * @param timeWidth the width of the timestep's embedding; null in a network without timesteps
     */
    public record Options(
            int groups, double eps, Activation activation, @Nullable Integer timeWidth) {}

    /** Declares a block from {@code in} to {@code out} channels. */
    public ResnetBlock(Weights w, long in, long out, Options options) {
        super(w);
        norm1 = new GroupNorm(w.sub("norm1"), options.groups(), in, options.eps());
        conv1 = new Conv2d(w.sub("conv1"), in, out, 3, 1);
        timeEmbProj =
                options.timeWidth() == null
                        ? null
                        : Linear.asInPyTorch(
                                w.sub("time_emb_proj"), options.timeWidth(), out, true);
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
     * @return {@code [N,out,H,W]}
     * @throws IllegalArgumentException if the timestep is missing, or is one too many
     */
    public Tensor forward(Tensor x, @Nullable Tensor time) {
        try (var scope = TensorScope.open()) {
            Tensor h = half(norm1, conv1, x); // [N,out,H,W]
            h = shifted(h, time);
            h = half(norm2, conv2, h);
            Tensor shortcut = convShortcut == null ? x : convShortcut.forward(x);
            return scope.keep(shortcut.plus(h));
        }
    }

    private Tensor half(GroupNorm norm, Conv2d conv, Tensor x) {
        try (var scope = TensorScope.open()) {
            return scope.keep(conv.forward(activation.apply(norm.forward(x))));
        }
    }

    private Tensor shifted(Tensor h, @Nullable Tensor time) {
        if ((timeEmbProj == null) != (time == null)) {
            throw new IllegalArgumentException(
                    time == null
                            ? "a block of a network with timesteps needs their embedding"
                            : "a block of a network without timesteps takes none");
        }
        if (timeEmbProj == null || time == null) {
            return h;
        }
        try (var scope = TensorScope.open()) {
            Tensor shift = timeEmbProj.forward(activation.apply(time)); // [N,out]
            return scope.keep(h.plus(shift.unsqueeze(2).unsqueeze(3)));
        }
    }
}
