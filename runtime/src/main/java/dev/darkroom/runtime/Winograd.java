package dev.darkroom.runtime;

import dev.darkroom.runtime.Kernels.Way;
import dev.darkroom.runtime.Kernels.Work;
import dev.darkroom.runtime.internal.ffi.Operator;

import org.jspecify.annotations.Nullable;

/**
 * Convolutions in float32 in the {@linkplain Way#WINOGRAD way} of Winograd. The channels of a pixel
 * lie side by side in memory ("channels last") from the first convolution on: the shim's operator
 * wants them so, and libtorch's operators keep the order.
 */
final class Winograd {
    private static final Operator OPERATOR = Operator.of("darkroom::winograd", "");

    /** The operator takes channels in groups of so many. */
    private static final int CHANNELS = 16;

    private Winograd() {}

    /** Returns whether the shim has the operator on this machine. */
    static boolean exists() {
        return OPERATOR.exists();
    }

    /** Returns whether convolutions in float32 are to be computed here. */
    static boolean isChosen() {
        return Kernels.current().way(DType.FLOAT32, Work.CONVOLUTIONS) == Way.WINOGRAD;
    }

    /** As {@link Ops#conv2d}, for float32 on the CPU without gradients. */
    static Tensor conv2d(
            Tensor x,
            Tensor weight,
            @Nullable Tensor bias,
            long stride,
            long padding,
            long groups) {
        try (var scope = TensorScope.open()) {
            Tensor ordered = x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);
            return scope.keep(
                    isKnown(weight, stride, groups)
                            ? Tensor.run(
                                    OPERATOR.call()
                                            .arg(ordered.handle)
                                            .arg(weight.handle)
                                            .arg(Tensor.handle(bias))
                                            .arg(padding))
                            : Ops.libtorchConv2d(ordered, weight, bias, stride, padding, groups));
        }
    }

    private static boolean isKnown(Tensor weight, long stride, long groups) {
        return weight.size(2) == 3
                && weight.size(3) == 3
                && weight.size(0) % CHANNELS == 0
                && weight.size(1) % CHANNELS == 0
                && weight.elements() > 0
                && stride == 1
                && groups == 1;
    }
}
