package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

/**
 * A matrix that is kept in a smaller type than it is computed in.
 *
 * @param stored {@code [out,in]}
 * @param scale float32, what the stored numbers are multiplied by: {@code [out,1]} or {@code
 *     [1,1]}; null for nothing
 * @param computed the type that it is widened to
 */
record NarrowWeight(Tensor stored, @Nullable Tensor scale, DType computed) {
    private static final int LARGEST = 127;

    /** Rows of so many elements are quantised at a time, so that little is copied at once. */
    private static final long CHUNK = 1 << 21;

    /** Takes the tensors over. */
    static NarrowWeight of(Tensor stored, @Nullable Tensor scale, DType computed, Device device) {
        Tensor kept = TensorScope.detach(stored.to(device));
        try {
            return new NarrowWeight(
                    kept, scale == null ? null : TensorScope.detach(scale.to(device)), computed);
        } catch (RuntimeException | Error e) {
            TensorScope.release(kept);
            throw e;
        }
    }

    /**
     * Rounds a matrix to integers of 8 bits, symmetrically, with a scale for each row.
     *
     * @param matrix {@code [out,in]}, of any floating-point type; stays the caller's
     */
    static NarrowWeight int8(Tensor matrix, DType computed, Device device) {
        Shape shape = matrix.shape();
        if (matrix.device().type() == Device.Type.META) {
            return of(
                    Tensor.empty(shape, DType.INT8, Device.META),
                    Tensor.empty(Shape.of(shape.size(0), 1), DType.FLOAT32, Device.META),
                    computed,
                    device);
        }
        long rows = Math.max(1, CHUNK / Math.max(1, shape.size(1)));
        Tensor integers = Tensor.empty(shape, DType.INT8, Device.CPU);
        Tensor scales = Tensor.ones(DType.FLOAT32, shape.size(0), 1);
        for (long row = 0; shape.elements() > 0 && row < shape.size(0); row += rows) {
            try (var scope = TensorScope.open()) {
                long count = Math.min(rows, shape.size(0) - row);
                Tensor part = matrix.narrow(0, row, count).to(DType.FLOAT32);
                Tensor largest = part.max(true, 1).maximum(part.min(true, 1).negated()); // [n,1]
                Tensor scale = largest.dividedBy(LARGEST);
                scale = scale.eq(0).where(Tensor.ones(DType.FLOAT32, 1), scale); // of a row of 0
                scales.narrow(0, row, count).copyInPlace(scale);
                integers.narrow(0, row, count)
                        .copyInPlace(part.dividedBy(scale).round().clamp(-LARGEST, LARGEST));
            }
        }
        return of(integers, scales, computed, device);
    }

    /**
     * Multiplies stored numbers by their scale.
     *
     * @param scale float32; null for nothing
     */
    static Tensor widened(Tensor stored, @Nullable Tensor scale, DType computed) {
        return scale == null
                ? stored.to(computed)
                : stored.to(DType.FLOAT32).timesInPlace(scale).to(computed);
    }

    /** Returns the matrix as it is computed with, a new tensor in the open scope. */
    Tensor widened() {
        try (var scope = TensorScope.open()) {
            return scope.keep(widened(stored, scale, computed));
        }
    }

    long bytes() {
        return bytes(stored) + (scale == null ? 0 : bytes(scale));
    }

    static long bytes(Tensor tensor) {
        return tensor.elements() * tensor.dtype().bytes();
    }

    void release() {
        TensorScope.release(stored);
        if (scale != null) {
            TensorScope.release(scale);
        }
    }
}
