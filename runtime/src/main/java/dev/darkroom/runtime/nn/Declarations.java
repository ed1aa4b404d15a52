package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.WeightsException.Mismatch;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The parameters that a network's constructors have declared; they are compared with a checkpoint
 * and then filled.
 */
final class Declarations {
    /** A parameter and how it is initialised where there is no checkpoint. */
    record Declaration(Parameter parameter, Init init) {
        Tensor sample(Generator generator) {
            return init.sample(parameter.shape(), generator);
        }
    }

    /** Checks the declarations of a network, named for messages. */
    interface Check<E extends Exception> {
        void run(String network) throws E;
    }

    /** Makes a parameter's value, in the open scope. */
    interface Fill<E extends Exception> {
        Tensor value(Declaration declaration) throws E;
    }

    /**
     * A marker of ComfyUI's for float8 weights with scales; also found in files without such
     * weights.
     */
    private static final String SCALED = "scaled_fp8";

    private final @Nullable WeightSource source;
    private final @Nullable DType dtype;
    private final Device device;
    private final Map<String, Declaration> declared = new LinkedHashMap<>();
    private final Map<Parameter, Supplier<Tensor>> constants = new LinkedHashMap<>();

    /** All of them, in a list that can be gone through where Java's heap is full. */
    private final List<Parameter> made = new ArrayList<>();

    private final List<Pattern> ignored = new ArrayList<>();

    /**
     * @param source null for randomly initialised parameters
     * @param dtype of floating-point parameters; null to leave them as they are
     */
    Declarations(@Nullable WeightSource source, @Nullable DType dtype, Device device) {
        this.source = source;
        this.dtype = dtype;
        this.device = device;
    }

    boolean has(String key) {
        return source != null && source.keys().contains(key);
    }

    void add(Parameter parameter, Init init) {
        made.add(parameter);
        if (declared.putIfAbsent(parameter.key(), new Declaration(parameter, init)) != null) {
            throw new IllegalStateException(parameter.key() + " is declared twice");
        }
    }

    void addConstant(Parameter parameter, Supplier<Tensor> value) {
        made.add(parameter);
        constants.put(parameter, value);
    }

    void ignore(String pattern) {
        String[] texts = pattern.split("\\*", -1);
        ignored.add(
                Pattern.compile(
                        Stream.of(texts).map(Pattern::quote).collect(Collectors.joining(".*")),
                        Pattern.DOTALL));
    }

    /** Returns the shapes that are declared, by key. */
    Map<String, Shape> shapes() {
        var shapes = new LinkedHashMap<String, Shape>();
        declared.forEach((key, declaration) -> shapes.put(key, declaration.parameter().shape()));
        return Collections.unmodifiableMap(shapes);
    }

    /**
     * Builds a network: constructs, checks and fills; frees what was made if one of these fails.
     */
    <M extends Module, E extends Exception> M build(
            Function<Weights, M> network, Check<E> check, Fill<E> fill) throws E {
        boolean done = false;
        try {
            M root = fill(network, check, fill);
            done = true;
            return root;
        } finally {
            if (!done) {
                for (int i = 0; i < made.size(); i++) { // a lambda might have to be linked first
                    made.get(i).close();
                }
            }
        }
    }

    private <M extends Module, E extends Exception> M fill(
            Function<Weights, M> network, Check<E> check, Fill<E> fill) throws E {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            M root = network.apply(new Weights(this));
            check.run(root.getClass().getSimpleName());
            requireMemory(root.getClass().getSimpleName());
            for (var constant : constants.entrySet()) {
                try (var one = TensorScope.open()) {
                    Parameter buffer = constant.getKey();
                    buffer.set(converted(buffer, constant.getValue().get()));
                }
            }
            for (Declaration declaration : declared.values()) {
                try (var one = TensorScope.open()) {
                    Parameter parameter = declaration.parameter();
                    parameter.set(converted(parameter, fill.value(declaration)));
                }
            }
            return root;
        }
    }

    /** Refuses what is to be copied to the CPU's memory and does not fit there. */
    private void requireMemory(String network) {
        if (device.type() != Device.Type.CPU) {
            return;
        }
        long bytes = 0;
        for (Declaration declaration : declared.values()) {
            Parameter parameter = declaration.parameter();
            DType from = source == null ? null : source.dtype(parameter.key()).orElseThrow();
            DType to = from == null || from.isFloatingPoint() ? dtype : from;
            if (to != null && to != from) {
                bytes += parameter.shape().elements() * to.bytes();
            }
        }
        MemoryBudget.current().require(bytes, network + " in " + dtype);
    }

    /** Returns a value in the network's type and on its device. */
    private Tensor converted(Parameter parameter, Tensor tensor) {
        return parameter.cast(tensor, dtype == null ? tensor.dtype() : dtype).to(device);
    }

    /** Compares what is declared with a checkpoint. */
    void check(WeightSource checkpoint, String network, Warnings warnings) throws WeightsException {
        var keys = checkpoint.keys();
        var missing = declared.keySet().stream().filter(key -> !keys.contains(key)).toList();
        var extra = keys.stream().filter(key -> isExtra(key, checkpoint)).toList();
        var mismatches =
                declared.values().stream()
                        .map(Declaration::parameter)
                        .filter(parameter -> keys.contains(parameter.key()))
                        .map(parameter -> mismatch(parameter, checkpoint))
                        .flatMap(Optional::stream)
                        .toList();
        boolean refused = warnings.isStrict() && !extra.isEmpty();
        if (!missing.isEmpty() || !mismatches.isEmpty() || refused) {
            throw new WeightsException(checkpoint.name(), network, missing, extra, mismatches);
        }
        requireUnscaled(checkpoint, network);
        if (!extra.isEmpty()) {
            warnings.add(WeightsException.extra(checkpoint.name(), network, extra));
        }
    }

    private static Optional<Mismatch> mismatch(Parameter parameter, WeightSource checkpoint) {
        String key = parameter.key();
        boolean fits =
                checkpoint.shape(key).equals(parameter.shape())
                        && checkpoint
                                .dtype(key)
                                .filter(type -> type.isFloatingPoint() || parameter.isBuffer())
                                .isPresent();
        return fits
                ? Optional.empty()
                : Optional.of(new Mismatch(key, parameter.shape(), checkpoint.describe(key)));
    }

    /** Returns whether a tensor is neither used nor known, and has elements. */
    private boolean isExtra(String key, WeightSource checkpoint) {
        return !declared.containsKey(key)
                && checkpoint.shape(key).elements() > 0
                && !name(key).equals(SCALED)
                && ignored.stream().noneMatch(pattern -> pattern.matcher(key).matches());
    }

    /**
     * Refuses float8 numbers that are to be multiplied by scales, which are tensors beside them:
     * {@code scale_weight}, {@code weight_scale}, {@code weight_scale_inv} …
     */
    private void requireUnscaled(WeightSource checkpoint, String network) throws WeightsException {
        boolean isMarked = false;
        var scaled = new HashSet<String>();
        for (String key : checkpoint.keys()) {
            isMarked |= name(key).equals(SCALED);
            if (!declared.containsKey(key)
                    && (name(key).contains("scale") || name(key).contains("quant"))) {
                scaled.add(module(key));
            }
        }
        for (String key : declared.keySet()) {
            boolean isFloat8 =
                    checkpoint
                            .dtype(key)
                            .filter(type -> type.isFloatingPoint() && type.bytes() == 1)
                            .isPresent();
            if (isFloat8 && (isMarked || scaled.contains(module(key)))) {
                throw WeightsException.scaled(checkpoint, network, key);
            }
        }
    }

    private static String name(String key) {
        return key.substring(key.lastIndexOf('.') + 1);
    }

    private static String module(String key) {
        return key.substring(0, key.lastIndexOf('.') + 1);
    }
}
