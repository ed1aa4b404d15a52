package dev.darkroom.runtime;

import java.util.Collections;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;

/** Tensors in memory. */
record MapSource(String name, Map<String, Tensor> tensors) implements WeightSource {
    @Override
    public Set<String> keys() {
        return Collections.unmodifiableSet(tensors.keySet());
    }

    @Override
    public Shape shape(String key) {
        return tensor(key).shape();
    }

    @Override
    public Optional<DType> dtype(String key) {
        return Optional.of(tensor(key).dtype());
    }

    @Override
    public Tensor read(String key) {
        return tensor(key).alias();
    }

    private Tensor tensor(String key) {
        Tensor tensor = tensors.get(key);
        if (tensor == null) {
            throw new NoSuchElementException(name + " has no tensor " + key);
        }
        return tensor;
    }
}
