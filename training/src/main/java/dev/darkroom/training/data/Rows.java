package dev.darkroom.training.data;

import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

/** A tensor on the CPU, filled batch by batch: half the memory of gluing batches together. */
final class Rows {
    private final int count;
    private @Nullable Tensor all;
    private int filled;

    /**
     * @param count of all rows
     */
    Rows(int count) {
        this.count = count;
    }

    /**
     * Adds rows.
     *
     * @param batch {@code [N,…]}
     * @param scope of the batch; the tensor goes to the one around
     */
    void add(Tensor batch, TensorScope scope) {
        if (all == null) {
            long[] shape = batch.shape().toArray();
            shape[0] = count;
            all = scope.keep(Tensor.empty(Shape.of(shape), batch.dtype(), Device.CPU));
        }
        all.narrow(0, filled, batch.size(0)).copyInPlace(batch);
        filled += (int) batch.size(0);
    }

    /** Returns whether no row was added. */
    boolean isEmpty() {
        return filled == 0;
    }

    /** Returns all rows {@code [count,…]}. */
    Tensor all() {
        if (all == null || filled != count) {
            throw new IllegalStateException(filled + " of " + count + " rows were added");
        }
        return all;
    }
}
