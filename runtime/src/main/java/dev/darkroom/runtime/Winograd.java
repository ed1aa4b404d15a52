package dev.darkroom.runtime;

import dev.darkroom.runtime.Kernels.Way;
import dev.darkroom.runtime.Kernels.Work;
import dev.darkroom.runtime.internal.ffi.Native;
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

    /** Results that the operator computes together at most: channels, and tiles of 2×2 pixels. */
    private static final int PANEL = 32;

    private static final int BLOCK = 56;

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

    /** Returns whether convolutions in float32 are to be computed here. */
    static boolean isChosen() {
        return exists() && Kernels.current().way(DType.FLOAT32, Work.CONVOLUTIONS) == Way.WINOGRAD;
    }

    /** Returns pictures {@code [N,C,H,W]} in channels-last order, if they aren't. */
    static Tensor channelsLast(Tensor x) {
        return x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);
    }

    /** Returns whether the shim's operator computes such a convolution. */
    static boolean knows(Tensor weight, long stride, long groups) {
        return weight.size(2) == 3
                && weight.size(3) == 3
                && weight.size(0) % CHANNELS == 0
                && weight.size(1) % CHANNELS == 0
                && weight.elements() > 0
                && stride == 1
                && groups == 1;
    }

    /**
     * Returns how many numbers the operator needs beside the result, about: transformed weights or
     * pictures, and what each thread has for itself ({@code winograd.cpp}, with AVX-512).
     */
    static long numbersBeside(Tensor x, Tensor weight, long padding) {
        long in = weight.size(1);
        long rows = (x.size(2) + 2 * padding - 1) / 2;
        long columns = (x.size(3) + 2 * padding - 1) / 2;
        long tiles = x.size(0) * rows * columns;
        long weights = 16 * in * Math.ceilDiv(weight.size(0), PANEL) * PANEL;
        long sums = 16L * BLOCK * PANEL;
        if (weights <= 5 << 20 && tiles >= 2L * BLOCK * Native.threads()) {
            return weights + Native.threads() * (sums + Math.min(448 << 10, 16 * BLOCK * in));
        }
        long together = Math.min(tiles, Math.max(4 * BLOCK, (2 << 20) / (16 * in)));
        return 16 * in * together + Native.threads() * (sums + 16 * in * PANEL);
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
