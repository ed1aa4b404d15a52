package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.WeightSource;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * The scales that float8 weights of a checkpoint are to be multiplied by: tensors beside them, as
 * ComfyUI and the tools around it write them. One scale for a matrix, or one for each of its rows;
 * scales of activations, for products in float8, have no use here.
 */
final class Float8Scales {
    /**
     * A marker of ComfyUI's for float8 weights with scales; also found in files without such
     * weights.
     */
    static final String MARKER = "scaled_fp8";

    /** Names of scales beside {@code weight}, the older one first. */
    private static final Set<String> OF_WEIGHTS = Set.of("scale_weight", "weight_scale");

    /** What else stands beside a scaled weight: scales of activations, a description in JSON. */
    private static final Set<String> BESIDE = Set.of("scale_input", "input_scale", "comfy_quant");

    private static final String WEIGHT = "weight";

    /** From a weight's key to its scale's. */
    private final Map<String, String> scales = new HashMap<>();

    private final Set<String> used = new HashSet<>();

    private Float8Scales() {}

    /**
     * Finds the scales of a checkpoint.
     *
     * @param declared the keys of the network's parameters
     * @throws WeightsException if float8 weights are scaled in a way that is not known
     */
    static Float8Scales of(WeightSource checkpoint, Set<String> declared, String network)
            throws WeightsException {
        var found = new Float8Scales();
        boolean isMarked = false;
        var scaled = new HashMap<String, Set<String>>(); // module: names of what is no parameter
        for (String key : checkpoint.keys()) {
            String name = name(key);
            isMarked |= name.equals(MARKER);
            if (!declared.contains(key) && (name.contains("scale") || name.contains("quant"))) {
                scaled.computeIfAbsent(module(key), module -> new HashSet<>()).add(name);
            }
        }
        for (String key : declared) {
            if (!isFloat8(checkpoint, key)) {
                continue;
            }
            Set<String> beside = scaled.getOrDefault(module(key), Set.of());
            boolean isScaled = false;
            boolean isKnown = true;
            for (String name : beside) {
                boolean isScale = name(key).equals(WEIGHT) && OF_WEIGHTS.contains(name);
                if (isScale && !isScaled && isScaleOf(checkpoint, module(key) + name, key)) {
                    found.scales.put(key, module(key) + name);
                    isScaled = true;
                } else {
                    isKnown &= BESIDE.contains(name);
                }
            }
            if (!isKnown || (!isScaled && (isMarked || !beside.isEmpty()))) {
                throw WeightsException.scaled(checkpoint, network, key);
            }
            beside.forEach(name -> found.used.add(module(key) + name));
        }
        return found;
    }

    /** Whether a tensor is one number for a matrix, or one for each row. */
    private static boolean isScaleOf(WeightSource checkpoint, String key, String weight) {
        Shape scale = checkpoint.shape(key);
        Shape matrix = checkpoint.shape(weight);
        boolean isNumber =
                checkpoint
                        .dtype(key)
                        .filter(type -> type.isFloatingPoint() && type.bytes() > 1)
                        .isPresent();
        boolean isOfRows =
                matrix.rank() == 2
                        && scale.elements() == matrix.size(0)
                        && (scale.rank() == 1 || (scale.rank() == 2 && scale.size(1) == 1));
        return isNumber && (scale.elements() == 1 || isOfRows);
    }

    private static boolean isFloat8(WeightSource checkpoint, String key) {
        return checkpoint
                .dtype(key)
                .filter(type -> type.isFloatingPoint() && type.bytes() == 1)
                .isPresent();
    }

    /** Returns whether a tensor belongs to a scaled weight. */
    boolean uses(String key) {
        return used.contains(key);
    }

    /**
     * Reads the scale of a weight, in the open scope.
     *
     * @param rank of the weight
     * @return float32 that broadcasts to it; null if there is none
     */
    @Nullable Tensor read(WeightSource checkpoint, String weight, int rank) throws IOException {
        String key = scales.get(weight);
        if (key == null) {
            return null;
        }
        var shape = new long[rank];
        Arrays.fill(shape, 1);
        shape[0] = -1; // rows
        return checkpoint.read(key).to(DType.FLOAT32).reshape(shape);
    }

    private static String name(String key) {
        return key.substring(key.lastIndexOf('.') + 1);
    }

    private static String module(String key) {
        return key.substring(0, key.lastIndexOf('.') + 1);
    }
}
