package dev.darkroom.runtime.safetensors;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.WeightSource;

import java.io.IOException;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;

/** A checkpoint as the source of layers' weights. */
record CheckpointWeights(Safetensors checkpoint) implements WeightSource {
    @Override
    public String name() {
        return checkpoint.path().toString();
    }

    @Override
    public Set<String> keys() {
        return checkpoint.names();
    }

    @Override
    public Shape shape(String key) {
        return stored(key).shape();
    }

    @Override
    public Optional<DType> dtype(String key) {
        return stored(key).dtype().tensorType();
    }

    @Override
    public String describe(String key) {
        return dtype(key).map(DType::toString).orElseGet(stored(key).dtype()::name) + shape(key);
    }

    @Override
    public Tensor read(String key) throws IOException {
        return checkpoint.tensor(key);
    }

    private StoredTensor stored(String key) {
        try {
            return checkpoint.info(key);
        } catch (SafetensorsException e) {
            throw (NoSuchElementException) new NoSuchElementException(e.getMessage()).initCause(e);
        }
    }
}
