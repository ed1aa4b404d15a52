package dev.darkroom.runtime;

import java.io.IOException;
import java.util.Collections;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;

/**
 * Another source's tensors under other names.
 *
 * @param originals from the new name to the other source's
 */
record RenamedSource(WeightSource source, Map<String, String> originals) implements WeightSource {
    @Override
    public String name() {
        return source.name();
    }

    @Override
    public Set<String> keys() {
        return Collections.unmodifiableSet(originals.keySet());
    }

    @Override
    public Shape shape(String key) {
        return source.shape(original(key));
    }

    @Override
    public Optional<DType> dtype(String key) {
        return source.dtype(original(key));
    }

    @Override
    public String describe(String key) {
        return source.describe(original(key));
    }

    @Override
    public Tensor read(String key) throws IOException {
        return source.read(original(key));
    }

    private String original(String key) {
        String original = originals.get(key);
        if (original == null) {
            throw new NoSuchElementException(name() + " has no tensor " + key);
        }
        return original;
    }
}
