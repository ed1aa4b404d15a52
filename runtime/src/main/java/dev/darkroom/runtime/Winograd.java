package dev.darkroom.runtime;

import dev.darkroom.runtime.Kernels.Way;
import dev.darkroom.runtime.Kernels.Work;
import dev.darkroom.runtime.internal.ffi.Operator;

import org.jspecify.annotations.Nullable;

/**
 * Convolutions in the {@linkplain Way#WINOGRAD way} of Winograd. The channels of a pixel lie side
 * by side in memory ("channels last") from the first convolution on: the shim's operator wants them
 * so, and libtorch's operators keep the order.
 */
final class Winograd {
    private static final Operator OPERATOR = Operator.of("darkroom::winograd", "");
    private static final Operator BYTES = Operator.of("darkroom::winograd_bytes", "");

    /** The operator takes channels in groups of so many. */
    private static final int CHANNELS = 16;

    private Winograd() {}

    /** Looked up once, when it is first asked for. */
    private static final class Shim {
        static final boolean HAS_OPERATOR = OPERATOR.exists();

        private Shim() {}
    }

    /** Returns whether the shim has the operator on this machine. */
    static boolean exists() {
        return Shim.HAS_OPERATOR;
    }

    /** Returns whether convolutions of such pictures are to be computed here. */
    static boolean isChosen(Tensor x) {
        return Kernels.matter(x.dtype(), x.device())
                && exists()
                && Kernels.current().way(x.dtype(), Work.CONVOLUTIONS) == Way.WINOGRAD;
    }

    /** Returns pictures {@code [N,C,H,W]} in channels-last order, if they aren't. */
    static Tensor channelsLast(Tensor x) {
        return x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);
    }

    /** Returns whether the shim's operator computes such a convolution. */
    static boolean knows(Tensor x, Tensor weight, long stride, long groups) {
        return x.elements() > 0
                && weight.size(2) == 3
                && weight.size(3) == 3
                && weight.size(0) % CHANNELS == 0
                && weight.size(1) % CHANNELS == 0
                && weight.elements() > 0
                && stride == 1
                && groups == 1;
    }

    /**
     * Returns how many numbers of the pictures' type take the memory that the operator needs beside
     * its result.
     */
    static long numbersBeside(Tensor x, Tensor weight, long padding) {
        long bytes =
                BYTES.call()
                        .arg(x.handle)
                        .arg(weight.handle)
                        .arg(padding)
                        .integer(ThreadState.current().mode().nativeMode);
        return bytes / x.dtype().bytes();
    }

    /**
     * Computes a convolution that the operator {@linkplain #knows knows}.
     *
     * @param x {@code [N,C,H,W]}
     * @param weight {@code [O,C,3,3]}
     * @param bias {@code [O]}, or null
     * @return {@code [N,O,H',W']} in channels-last order
     */
    static Tensor conv2d(Tensor x, Tensor weight, @Nullable Tensor bias, long padding) {
        return Tensor.run(
                OPERATOR.call()
                        .arg(x.handle)
                        .arg(weight.handle)
                        .arg(Tensor.handle(bias))
                        .arg(padding));
    }
}
