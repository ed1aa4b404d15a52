package dev.darkroom.models.layers;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Conv2d;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;

/** A greater resolution: nearest neighbours, then a convolution. */
public final class Upsample extends Module {
    private final Conv2d conv;

    /** Declares the convolution. */
    public Upsample(Weights w, long channels) {
        super(w);
        conv = new Conv2d(w.sub("conv"), channels, channels, 3, 1);
    }

    /** Doubles height and width: {@code [N,C,H,W]} to {@code [N,C,2H,2W]}. */
    public Tensor forward(Tensor x) {
        return forward(x, 2 * x.size(2), 2 * x.size(3));
    }

    /** Resizes {@code [N,C,H,W]} to {@code [N,C,height,width]}. */
    public Tensor forward(Tensor x, long height, long width) {
        try (var scope = TensorScope.open()) {
            return scope.keep(conv.forward(Ops.resizeNearest(x, height, width)));
        }
    }
}
