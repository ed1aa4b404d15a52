package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.function.BinaryOperator;
import java.util.function.Function;

/**
 * The way in which a network runs its blocks: as any other computation, or by {@link
 * Checkpointing}. {@link Module#segments(Segments)} sets it.
 *
 * <p>A block has a typed {@code forward} of its own. A block of a tensor and its condition is a
 * segment as it is; any other is called in a function of the segment's inputs:
 *
 * <pre>{@code
 * x = segments().run(block::forward, x, condition);
 *
 * List<Tensor> streams =
 *         segments().runAll(
 *                 in -> block.forward(in.get(0), in.get(1), in.orNull(2)), image, text, mask);
 * }</pre>
 */
public interface Segments {
    /** Runs blocks as any other computation: gradients are recorded throughout. */
    Segments RECORDED =
            new Segments() {
                @Override
                public List<Tensor> runAll(
                        Function<Inputs, List<Tensor>> segment, @Nullable Tensor... inputs) {
                    return segment.apply(new Inputs(Arrays.asList(inputs)));
                }

                @Override
                public Tensor boundary(Tensor original) {
                    return Objects.requireNonNull(original, "original");
                }
            };

    /**
     * The tensors that a segment computes from, in the order in which they were given.
     *
     * @param tensors null where an input is absent
     */
    record Inputs(List<@Nullable Tensor> tensors) {
        public Inputs {
            tensors = Collections.unmodifiableList(new ArrayList<>(tensors));
        }

        /**
         * Returns the input at an index.
         *
         * @throws IllegalArgumentException if it is absent
         */
        public Tensor get(int index) {
            Tensor tensor = tensors.get(index);
            if (tensor == null) {
                throw new IllegalArgumentException("input " + index + " of the segment is absent");
            }
            return tensor;
        }

        /** Returns the input at an index, or null if it is absent. */
        public @Nullable Tensor orNull(int index) {
            return tensors.get(index);
        }
    }

    /**
     * Runs a block with several results, such as one with two streams of tokens.
     *
     * @param segment may be called again in the backward pass and then computes the same; it uses
     *     no tensors but parameters and the inputs that it is given
     * @param inputs null where an input is absent
     * @return the segment's results, in the open scope
     */
    List<Tensor> runAll(Function<Inputs, List<Tensor>> segment, @Nullable Tensor... inputs);

    /**
     * Runs a block with one result.
     *
     * @param segment as {@link #runAll} takes it
     * @param inputs null where an input is absent
     * @return the segment's result, in the open scope
     */
    default Tensor run(Function<Inputs, Tensor> segment, @Nullable Tensor... inputs) {
        return runAll(in -> List.of(segment.apply(in)), inputs).getFirst();
    }

    /** Runs a block of a tensor and its condition: {@code run(block::forward, x, condition)}. */
    default Tensor run(BinaryOperator<Tensor> block, Tensor x, Tensor condition) {
        return runAll(in -> List.of(block.apply(in.get(0), in.get(1))), x, condition).getFirst();
    }

    /**
     * Marks a tensor that several segments use, or a segment and what follows them.
     *
     * @return the tensor to use in place of the original from here on
     */
    Tensor boundary(Tensor original);
}
