package dev.darkroom.models.layers;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.WeightSource;

import java.io.IOException;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Weights whose attention may be stored as 1×1 convolutions {@code [O,I,1,1]}; seen as matrices
 * {@code [O,I]} of the same numbers.
 */
public record OldAttention(WeightSource source) implements WeightSource {
    /** Maps the names of attention's layers in old checkpoints to today's. */
    private static final Map<String, String> LAYERS =
            Map.of("query", "to_q", "key", "to_k", "value", "to_v", "proj_attn", "to_out.0");

    /**
     * Returns weights under today's names, with attention's projections as matrices: in older
     * checkpoints they have other names, and in the oldest they are 1×1 convolutions.
     */
    public static WeightSource currentNames(WeightSource source) {
        return new OldAttention(source.renamed(OldAttention::currentName));
    }

    /** Returns the name that a parameter has today: {@code ….attentions.N.LAYER.PARAMETER}. */
    private static String currentName(String key) {
        int parameter = key.lastIndexOf('.');
        int layer = key.lastIndexOf('.', parameter - 1) + 1;
        if (!isOfAttention(key) || layer > parameter) {
            return key;
        }
        String name = key.substring(layer, parameter);
        return key.substring(0, layer) + LAYERS.getOrDefault(name, name) + key.substring(parameter);
    }

    private static boolean isOfAttention(String key) {
        return key.contains(".attentions.");
    }

    @Override
    public String name() {
        return source.name();
    }

    @Override
    public Set<String> keys() {
        return source.keys();
    }

    @Override
    public Shape shape(String key) {
        Shape shape = source.shape(key);
        return isConvolution(key, shape) ? Shape.of(shape.size(0), shape.size(1)) : shape;
    }

    private static boolean isConvolution(String key, Shape shape) {
        return isOfAttention(key) && shape.rank() == 4 && shape.size(2) == 1 && shape.size(3) == 1;
    }

    @Override
    public Optional<DType> dtype(String key) {
        return source.dtype(key);
    }

    @Override
    public String describe(String key) {
        return source.describe(key);
    }

    @Override
    public Tensor read(String key) throws IOException {
        Tensor stored = source.read(key);
        return isConvolution(key, stored.shape()) ? stored.reshape(shape(key).toArray()) : stored;
    }
}
