package dev.darkroom.models.vae;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.List;
import java.util.function.UnaryOperator;

/** Layers one after the other, each one's input freed as soon as its output is there. */
final class Chain {
    private Chain() {}

    static Tensor run(Tensor x, List<UnaryOperator<Tensor>> layers) {
        try (var scope = TensorScope.open()) {
            Tensor h = x;
            for (UnaryOperator<Tensor> layer : layers) {
                Tensor next = layer.apply(h);
                if (h != x) {
                    h.close();
                }
                h = next;
            }
            return scope.keep(h);
        }
    }
}
