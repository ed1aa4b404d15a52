package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.Tensor;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Optimizers made of others. */
public final class Optimizers {
    private Optimizers() {}

    /**
     * Makes one optimizer of several, such as {@link Muon} for matrices and {@link AdamW} for the
     * rest. Closing it closes them.
     *
     * @throws IllegalArgumentException if two of them have state of the same name
     */
    public static Optimizer together(List<Optimizer> optimizers) {
        return new Together(List.copyOf(optimizers));
    }

    private record Together(List<Optimizer> optimizers) implements Optimizer {
        Together {
            var all = new LinkedHashMap<String, Tensor>();
            for (Optimizer optimizer : optimizers) {
                optimizer
                        .state()
                        .forEach(
                                (key, tensor) -> {
                                    if (all.put(key, tensor) != null) {
                                        throw new IllegalArgumentException(
                                                "two optimizers have " + key);
                                    }
                                });
            }
        }

        @Override
        public void step(double factor) {
            optimizers.forEach(optimizer -> optimizer.step(factor));
        }

        @Override
        public void zeroGrad() {
            optimizers.forEach(Optimizer::zeroGrad);
        }

        @Override
        public Map<String, Tensor> state() {
            var all = new LinkedHashMap<String, Tensor>();
            optimizers.forEach(optimizer -> all.putAll(optimizer.state()));
            return Collections.unmodifiableMap(all);
        }

        @Override
        public void load(Map<String, Tensor> from) {
            State.check(state(), from);
            for (Optimizer optimizer : optimizers) {
                var own = new LinkedHashMap<>(from);
                own.keySet().retainAll(optimizer.state().keySet());
                optimizer.load(own);
            }
        }

        @Override
        public void close() {
            optimizers.forEach(Optimizer::close);
        }
    }
}
