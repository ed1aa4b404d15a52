package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Tensor;

import java.util.List;
import java.util.function.Function;

/**
 * How a network runs its blocks: as any other computation, or by {@link Checkpointing}. A {@link
 * Module} is told by {@link Module#segments(Segments)}.
 */
public interface Segments {
    /** Nothing between the blocks: gradients are recorded throughout. */
    Segments RECORDED =
            new Segments() {
                @Override
                public Tensor run(Function<List<Tensor>, Tensor> segment, Tensor... inputs) {
                    return segment.apply(List.of(inputs));
                }

                @Override
                public Tensor boundary(Tensor original) {
                    return original;
                }
            };

    /**
     * Runs a block.
     *
     * @param segment may be called again in the backward pass, and must then compute the same; it
     *     uses no tensors but parameters and the inputs it is given
     * @param inputs of the segment
     * @return the segment's output, in the open scope
     */
    Tensor run(Function<List<Tensor>, Tensor> segment, Tensor... inputs);

    /**
     * Marks a tensor that several segments use, or a segment and what follows them.
     *
     * @return what to use in place of the original from here on
     */
    Tensor boundary(Tensor original);
}
