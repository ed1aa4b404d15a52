package dev.darkroom.runtime;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Tensors by name, as a checkpoint has them. Asking for one that is not among the {@link #keys} is
 * a {@link java.util.NoSuchElementException}, or an {@link IOException} where it is to be read.
 */
public interface WeightSource {
    /** Returns what messages call it: the file or the folder. */
    String name();

    /** Returns the names of all tensors. */
    Set<String> keys();

    /** Returns the shape of one of the {@link #keys}, known without reading it. */
    Shape shape(String key);

    /**
     * Returns the type of one of the {@link #keys}, known without reading it; empty if libtorch has
     * no tensors of it, so that it can't be read.
     */
    Optional<DType> dtype(String key);

    /** Describes type and shape of one of the {@link #keys}, for messages. */
    default String describe(String key) {
        return dtype(key).map(DType::toString).orElse("?") + shape(key);
    }

    /**
     * Reads one of the tensors, in its own type. It belongs to the open scope and may share memory
     * with the source.
     *
     * @throws IOException if it can't be read
     */
    Tensor read(String key) throws IOException;

    /** Makes a source of tensors in memory, which stay the caller's. */
    static WeightSource of(String name, Map<String, Tensor> tensors) {
        tensors.forEach((key, tensor) -> Objects.requireNonNull(tensor, key));
        return new MapSource(Objects.requireNonNull(name, "name"), new LinkedHashMap<>(tensors));
    }

    /**
     * Returns this source under other names, for checkpoints with an older naming. A tensor keeps
     * its name where the new one is taken.
     *
     * @param rename from this source's name to the new one
     * @throws IllegalArgumentException if two tensors get one new name
     */
    default WeightSource renamed(UnaryOperator<String> rename) {
        Objects.requireNonNull(rename, "rename");
        var originals = new LinkedHashMap<String, String>();
        for (String key : keys()) {
            String name = rename.apply(key);
            String before = originals.put(keys().contains(name) ? key : name, key);
            if (before != null) {
                throw new IllegalArgumentException(
                        name() + ": " + before + " and " + key + " stand for the same parameter");
            }
        }
        return new RenamedSource(this, originals);
    }
}
