package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Gradients;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.function.Function;

/**
 * Gradient checkpointing (Chen et al., arXiv 1604.06174): a segment of a network keeps only its
 * inputs and its results; what lies between is computed again when the gradients arrive. The
 * gradients equal those of the plain run, because a segment uses no random numbers.
 *
 * <pre>{@code
 * try (var checkpoints = new Checkpointing()) {
 *     Tensor condition = checkpoints.boundary(embed.forward(timestep));
 *     for (Block block : blocks) {
 *         x = checkpoints.run(block::forward, x, condition);
 *     }
 *     checkpoints.backward(loss(x, condition));
 * }
 * }</pre>
 *
 * <p>Networks do the same by themselves after {@link Module#segments(Segments)}.
 */
public final class Checkpointing implements Segments, AutoCloseable {
    private final Deque<Entry> tape = new ConcurrentLinkedDeque<>();

    /** Makes an empty record of segments. */
    public Checkpointing() {}

    /** A cut in the recording of gradients, which the backward pass crosses by itself. */
    private interface Entry {
        /** Passes the gradients that have arrived after the cut on to what lies before it. */
        void backward();

        void close();
    }

    /**
     * Runs a segment without recording it.
     *
     * @param segment is called again in {@link #backward} and then computes the same; it uses no
     *     tensors that require gradients but parameters and the inputs that it is given
     * @param inputs of the segment, null where one is absent; one that is recorded gets a {@link
     *     #boundary}
     * @return the segment's results, detached
     */
    @Override
    public List<Tensor> runAll(Function<Inputs, List<Tensor>> segment, @Nullable Tensor... inputs) {
        Mode mode = Mode.current();
        List<@Nullable Tensor> leaves = new ArrayList<>();
        try (var scope = TensorScope.open()) {
            for (Tensor input : inputs) {
                leaves.add(input == null ? null : leaf(input).alias());
            }
            var in = new Inputs(leaves);
            List<Tensor> results;
            try (var guard = mode.withGradients(false).enter()) {
                results = segment.apply(in).stream().map(Tensor::detach).toList();
            }
            if (mode.recordsGradients()) {
                results.forEach(result -> result.requiresGrad(true));
                List<Tensor> ends = results.stream().map(Tensor::alias).toList();
                tape.add(new Segment(mode, segment, in, ends));
                // Last, in case that Java's heap is full.
                leaves.stream().filter(Objects::nonNull).forEach(TensorScope::detach);
                ends.forEach(TensorScope::detach);
            }
            results.forEach(scope::keep);
            return results;
        }
    }

    private Tensor leaf(Tensor input) {
        return input.requiresGrad() && !input.isLeaf() ? boundary(input) : input;
    }

    /**
     * Cuts the recording at a tensor that several segments use, or a segment and what follows them,
     * so that its gradient is passed on once, when it is complete.
     *
     * @return the tensor, detached; use it in place of the original from here on
     */
    @Override
    public Tensor boundary(Tensor original) {
        Objects.requireNonNull(original, "original");
        if (!Mode.current().recordsGradients() || !original.requiresGrad()) {
            return original;
        }
        Tensor leaf = original.detach().requiresGrad(true);
        Tensor before = original.alias();
        Tensor after = leaf.alias();
        tape.add(new Boundary(before, after));
        TensorScope.detach(before);
        TensorScope.detach(after);
        return leaf;
    }

    /**
     * Accumulates the gradients of a scalar in the leaves, through all segments, from last to
     * first. The segments are forgotten.
     */
    public void backward(Tensor loss) {
        Gradients.backward(List.of(loss), Arrays.asList((Tensor) null), true);
        for (Entry entry = tape.pollLast(); entry != null; entry = tape.pollLast()) {
            try (var scope = TensorScope.open()) {
                entry.backward();
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
        public void backward() {
            Tensor gradient = leaf.grad();
            if (gradient != null) {
                Gradients.backward(List.of(original), List.of(gradient), true);
            }
        }

        @Override
        public void close() {
            TensorScope.release(original);
            TensorScope.release(leaf);
        }
    }

    /**
     * A segment that is run again when gradients have arrived.
     *
     * @param results detached: the leaves that gradients arrive in
     */
    private record Segment(
            Mode mode, Function<Inputs, List<Tensor>> segment, Inputs inputs, List<Tensor> results)
            implements Entry {
        @Override
        public void backward() {
            List<@Nullable Tensor> arrived = new ArrayList<>();
            results.forEach(result -> arrived.add(result.grad()));
            if (arrived.stream().allMatch(Objects::isNull)) {
                return;
            }
            try (var guard = mode.enter()) {
                // Gradients accumulate in the inputs themselves, which are leaves.
                List<Tensor> again = segment.apply(inputs);
                List<Tensor> reached = new ArrayList<>();
                List<@Nullable Tensor> gradients = new ArrayList<>();
                for (int i = 0; i < again.size(); i++) {
                    // Nothing is recorded before the first block that is trained.
                    if (arrived.get(i) != null && again.get(i).requiresGrad()) {
                        reached.add(again.get(i));
                        gradients.add(arrived.get(i));
                    }
                }
                if (!reached.isEmpty()) {
                    Gradients.backward(reached, gradients, false);
                }
            }
        }

        @Override
        public void close() {
            inputs.tensors().stream().filter(Objects::nonNull).forEach(TensorScope::release);
            results.forEach(TensorScope::release);
        }
    }
}
