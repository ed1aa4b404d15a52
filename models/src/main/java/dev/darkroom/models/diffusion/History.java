package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

/**
 * The last estimates of a multistep solver, such as x̂0 or ε: shared with the steps' tensors, but
 * living longer.
 */
final class History implements AutoCloseable {
    /** An estimate and the level that it was made at. */
    record Past(NoiseLevel level, Tensor output) {}

    private final int length;
    private final Deque<Past> past = new ArrayDeque<>();
    private int steps;

    /** Begins without estimates, and keeps the last {@code length}. */
    History(int length) {
        this.length = length;
    }

    void add(NoiseLevel level, Tensor output) {
        if (past.size() == length) {
            past.removeLast().output().close();
        }
        Tensor kept = output.alias();
        past.addFirst(new Past(level, kept));
        TensorScope.detach(kept); // last, in case that Java's heap is full
        steps++;
    }

    /** Returns how many estimates were added. */
    int steps() {
        return steps;
    }

    Iterator<Past> latestFirst() {
        return past.iterator();
    }

    @Override
    public void close() {
        past.forEach(each -> each.output().close());
    }
}
