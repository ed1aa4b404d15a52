package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;

/** Tensors by name, as a checkpoint has them. */
public interface WeightSource {
    /** What messages call it: the file or the folder. */
    String name();

    /** The names of all tensors. */
    Set<String> keys();

    /** The shape of one of the {@link #keys}, known without reading it. */
    Shape shape(String key);

    /** The type of one of the {@link #keys}, known without reading it. */
    DType dtype(String key);

    /**
     * One of the tensors, in its own type. It belongs to the open scope and may share memory with
     * the source.
     *
     * @throws IOException if it can't be read
     */
    Tensor read(String key) throws IOException;

    /** Tensors that stay the caller's. */
    static WeightSource of(String name, Map<String, Tensor> tensors) {
        return new MapSource(name, new LinkedHashMap<>(tensors));
    }

    /**
     * This source under other names, for checkpoints with an older naming.
     *
     * @param rename from this source's name to the new one
     * @throws IllegalArgumentException if two tensors get one name
     */
    default WeightSource renamed(UnaryOperator<String> rename) {
        var originals = new LinkedHashMap<String, String>();
        for (String key : keys()) {
            String before = originals.put(rename.apply(key), key);
            if (before != null) {
                throw new IllegalArgumentException(
                        name() + ": " + before + " and " + key + " stand for the same parameter");
            }
        }
        return new RenamedSource(this, originals);
    }
}
