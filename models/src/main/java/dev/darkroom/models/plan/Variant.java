package dev.darkroom.models.plan;

import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.checkpoint.WeightFormat;
import dev.darkroom.runtime.DType;

import java.util.Objects;

/**
 * The options of a pipeline that decide how much memory it takes, none of them left to it.
 *
 * @param dtype that the networks compute in
 * @param tiling whether large pictures are decoded in tiles: on or off
 * @param offload whether the parts take turns in memory: on or off
 * @param weights what the weights of linear layers are kept as
 */
public record Variant(DType dtype, Tiling tiling, Offload offload, WeightFormat weights) {
    /**
     * Checks that nothing is left open.
     *
     * @throws IllegalArgumentException if something is
     */
    public Variant {
        Objects.requireNonNull(dtype, "dtype");
        if (tiling == Tiling.AUTO || offload == Offload.AUTO || weights == WeightFormat.AUTO) {
            throw new IllegalArgumentException(
                    "a variant says what is done, and leaves nothing to the pipeline (auto)");
        }
        Objects.requireNonNull(tiling, "tiling");
        Objects.requireNonNull(offload, "offload");
        Objects.requireNonNull(weights, "weights");
    }
}
