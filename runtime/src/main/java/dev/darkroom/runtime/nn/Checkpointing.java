package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Gradients;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.function.Function;

/**
 * Gradient checkpointing (Chen et al., arXiv 1604.06174): a segment of a network keeps only its
 * inputs and its output; what lies between is computed again when the gradient arrives. The
 * gradients are those of the plain run, as a segment draws no random numbers.
 *
 * <pre>{@code
 * try (var checkpoints = new Checkpointing()) {
 *     Tensor condition = checkpoints.boundary(embed.forward(timestep));
 *     for (Block block : blocks) {
 *         x = checkpoints.run(in -> block.forward(in.get(0), in.get(1)), x, condition);
 *     }
 *     checkpoints.backward(loss(x, condition));
 * }
 * }</pre>
 *
 * <p>Networks do the same by themselves after {@link Module#segments(Segments)}.
 */
public final class Checkpointing implements Segments, AutoCloseable {
    private final Deque<Entry> tape = new ConcurrentLinkedDeque<>();

    /** No segments yet. */
    public Checkpointing() {}

    /** A detached tensor whose gradient is to be passed on. */
    private interface Entry {
        Tensor leaf();

        void pass(Tensor gradient);

        void close();
    }

    /**
     * Runs a segment without recording it.
     *
     * @param segment is called again in {@link #backward}, and must then compute the same; it uses
     *     no tensors that require gradients but parameters and the inputs it is given
     * @param inputs of the segment; one that is recorded gets a {@link #boundary}
     * @return the segment's output, detached
     */
    @Override
    public Tensor run(Function<List<Tensor>, Tensor> segment, Tensor... inputs) {
        Mode mode = Mode.current();
        List<Tensor> leaves = new ArrayList<>();
        try (var scope = TensorScope.open()) {
            for (Tensor input : inputs) {
                Tensor leaf = input.requiresGrad() && !input.isLeaf() ? boundary(input) : input;
                leaves.add(leaf.alias());
            }
            Tensor output;
            try (var guard = mode.withGradients(false).enter()) {
                output = segment.apply(leaves).detach();
            }
            if (mode.recordsGradients()) {
                Tensor end = output.requiresGrad(true).alias();
                leaves.forEach(TensorScope::detach);
                tape.add(new Segment(mode, segment, leaves, TensorScope.detach(end)));
            }
            return scope.keep(output);
        }
    }

    /**
     * Cuts the recording at a tensor that several segments use, or a segment and what follows them,
     * so that its gradient is passed on once, when it is complete.
     *
     * @return the tensor, detached; use it in place of the original from here on
     */
    @Override
    public Tensor boundary(Tensor original) {
        if (!Mode.current().recordsGradients() || !original.requiresGrad()) {
            return original;
        }
        Tensor leaf = original.detach().requiresGrad(true);
        Tensor before = original.alias();
        Tensor after = leaf.alias();
        tape.add(new Boundary(TensorScope.detach(before), TensorScope.detach(after)));
        return leaf;
    }

    /**
     * Collects the gradients of a scalar in the leaves, through all segments, from last to first.
     * The segments are forgotten.
     */
    public void backward(Tensor loss) {
        Gradients.backward(List.of(loss), Arrays.asList((Tensor) null), true);
        for (Entry entry = tape.pollLast(); entry != null; entry = tape.pollLast()) {
            try (var scope = TensorScope.open()) {
                Tensor gradient = entry.leaf().grad();
                if (gradient != null) {
                    entry.pass(gradient);
                }
            } finally {
                entry.close();
            }
        }
    }

    /** Forgets segments that no backward pass has reached. */
    @Override
    public void close() {
        for (Entry entry = tape.pollLast(); entry != null; entry = tape.pollLast()) {
            entry.close();
        }
    }

    private record Boundary(Tensor original, Tensor leaf) implements Entry {
        @Override
        public void pass(Tensor gradient) {
            Gradients.backward(List.of(original), List.of(gradient), true);
        }

        @Override
        public void close() {
            TensorScope.release(original);
            TensorScope.release(leaf);
        }
    }

    private record Segment(
            Mode mode, Function<List<Tensor>, Tensor> segment, List<Tensor> inputs, Tensor leaf)
            implements Entry {
        @Override
        public void pass(Tensor gradient) {
            try (var guard = mode.enter()) {
                // Gradients collect in the inputs themselves, which are leaves.
                Tensor output = segment.apply(inputs);
                if (output.requiresGrad()) { // not before the first block that is trained
                    output.backward(gradient);
                }
            }
        }

        @Override
        public void close() {
            inputs.forEach(TensorScope::release);
            TensorScope.release(leaf);
        }
    }
}
