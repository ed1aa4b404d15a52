package dev.darkroom.models.vae;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.GroupNorm;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

import org.jspecify.annotations.Nullable;

/** A residual block (He et al. 2016) of two convolutions, each after a norm; it has no timestep. */
final class ResnetBlock extends Module {
    private final GroupNorm norm1;
    private final Conv2d conv1;
    private final GroupNorm norm2;
    private final Conv2d conv2;
    private final @Nullable Conv2d convShortcut;
    private final Activation activation;

    ResnetBlock(Weights w, long in, long out, AutoencoderKlConfig config) {
        super(w);
        norm1 = new GroupNorm(w.sub("norm1"), config.normGroups(), in, AutoencoderKl.EPS);
        conv1 = new Conv2d(w.sub("conv1"), in, out, 3, 1);
        norm2 = new GroupNorm(w.sub("norm2"), config.normGroups(), out, AutoencoderKl.EPS);
        conv2 = new Conv2d(w.sub("conv2"), out, out, 3, 1);
        convShortcut = in == out ? null : new Conv2d(w.sub("conv_shortcut"), in, out, 1, 0);
        activation = config.activation();
    }

    /**
     * Applies the block.
     *
     * @param x {@code [N,in,H,W]}
     * @return {@code [N,out,H,W]}
     */
    Tensor forward(Tensor x) {
        try (var scope = TensorScope.open()) {
            var h = half(norm1, conv1, x); // [N,out,H,W]
            h = half(norm2, conv2, h);
            var shortcut = convShortcut == null ? x : convShortcut.forward(x);
            return scope.keep(shortcut.plus(h));
        }
    }

    private Tensor half(GroupNorm norm, Conv2d conv, Tensor x) {
        try (var scope = TensorScope.open()) {
            return scope.keep(conv.forward(activation.apply(norm.forward(x))));
        }
    }
}
