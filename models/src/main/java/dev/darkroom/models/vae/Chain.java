package dev.darkroom.models.vae;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.function.UnaryOperator;

/**
 * Layers that run one after the other: each layer's input is freed as soon as its output is there,
 * except the first, which is the caller's.
 */
final class Chain implements AutoCloseable {
    private final TensorScope scope = TensorScope.open();
    private final Tensor input;
    private Tensor current;

    Chain(Tensor input) {
        this.input = input;
        current = input;
    }

    /** Replaces the current tensor by the layer's output. */
    void run(UnaryOperator<Tensor> layer) {
        Tensor output = layer.apply(current);
        if (current != input) {
            current.close();
        }
        current = output;
    }

    /** Returns the last layer's output, which belongs to the scope around. */
    Tensor result() {
        return scope.keep(current);
    }

    @Override
    public void close() {
        scope.close();
    }
}
