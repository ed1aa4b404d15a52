package dev.darkroom.models.convert;

import dev.darkroom.models.checkpoint.CheckpointException;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.WeightSource;

import java.io.IOException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;

/** The weights of several parts as those of one file. */
record Joined(String name, Map<String, WeightSource> sources) implements WeightSource {
    static Joined of(String name, List<WeightSource> parts) throws CheckpointException {
        Map<String, WeightSource> sources = new LinkedHashMap<>();
        for (WeightSource part : parts) {
            for (String key : part.keys()) {
                WeightSource other = sources.put(key, part);
                if (other != null) {
                    throw new CheckpointException(
                            part.name() + " and " + other.name() + " both have " + key);
                }
            }
        }
        return new Joined(name, sources);
    }

    @Override
    public Set<String> keys() {
        return Collections.unmodifiableSet(sources.keySet());
    }

    @Override
    public Shape shape(String key) {
        return source(key).shape(key);
    }

    @Override
    public Optional<DType> dtype(String key) {
        return source(key).dtype(key);
    }

    @Override
    public Tensor read(String key) throws IOException {
        return source(key).read(key);
    }

    private WeightSource source(String key) {
        WeightSource source = sources.get(key);
        if (source == null) {
            throw new NoSuchElementException(name + " has no tensor " + key);
        }
        return source;
    }
}
