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

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
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

    /** Gives a parameter its value, in the open scope. */
    interface Fill<E extends Exception> {
        void set(Declaration declaration) throws E;
    }

    private final @Nullable WeightSource source;
    private final @Nullable DType dtype;
    private final Device device;
    private final Map<String, Declaration> declared = new LinkedHashMap<>();
    private final Map<Parameter, Supplier<Tensor>> constants = new LinkedHashMap<>();

    /** All of them, in a list that can be gone through where Java's heap is full. */
    private final List<Parameter> made = new ArrayList<>();

    /** Of the checkpoint's float8 weights, once it was checked. */
    private @Nullable Float8Scales scales;

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
     * Makes a network whose parameters have no values yet.
     *
     * @param network calls the constructor
     */
    <M extends Module> M declare(Function<Weights, M> network) {
        M root;
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            root = network.apply(new Weights(this));
        }
        for (Parameter parameter : made) {
            DType given =
                    source == null || parameter.isConstant()
                            ? dtype
                            : source.keys().contains(parameter.key())
                                    ? source.dtype(parameter.key()).orElse(null)
                                    : null;
            if (given != null && given.isFloatingPoint()) {
                given = parameter.typeIn(dtype == null ? given : dtype);
            }
            if (given != null && !parameter.isConstant()) {
                parameter.plan(given, device);
            }
        }
        return root;
    }

    /** Returns the name of a network's class, for messages. */
    static String name(Module network) {
        return network.getClass().getSimpleName();
    }

    /** Gives all parameters their values, or none of them if one fails. */
    <E extends Exception> void fill(Fill<E> fill) throws E {
        boolean done = false;
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            for (var constant : constants.entrySet()) {
                try (var one = TensorScope.open()) {
                    Parameter buffer = constant.getKey();
                    buffer.fill(converted(buffer, constant.getValue().get()));
                }
            }
            for (Declaration declaration : declared.values()) {
                try (var one = TensorScope.open()) {
                    fill.set(declaration);
                }
            }
            done = true;
        } finally {
            if (!done) {
                free();
            }
        }
    }

    /** Frees all values; nothing is allocated for that, since Java's heap may be full. */
    void free() {
        for (int i = 0; i < made.size(); i++) { // a lambda might have to be linked first
            made.get(i).free();
        }
    }

    /** Returns all parameters. */
    List<Parameter> parameters() {
        return Collections.unmodifiableList(made);
    }

    /** Returns a fill with random numbers. */
    Fill<RuntimeException> random(Generator generator) {
        return declaration ->
                declaration
                        .parameter()
                        .fill(converted(declaration.parameter(), declaration.sample(generator)));
    }

    /**
     * Returns a fill from a checkpoint that was {@linkplain #check checked}.
     *
     * @param format of matrices in blocks
     */
    Fill<IOException> from(WeightSource checkpoint, LinearFormat format) {
        return declaration -> read(declaration.parameter(), checkpoint, format);
    }

    private void read(Parameter parameter, WeightSource checkpoint, LinearFormat format)
            throws IOException {
        String key = parameter.key();
        Tensor stored = checkpoint.read(key);
        Tensor scale =
                scales == null ? null : scales.read(checkpoint, key, parameter.shape().rank());
        DType computed = parameter.dtype();
        switch (kept(parameter, format)) {
            case COMPUTED ->
                    parameter.fill(
                            scale == null
                                    ? converted(parameter, stored)
                                    : NarrowWeight.widened(stored, scale, computed).to(device));
            case STORED -> parameter.fill(NarrowWeight.of(stored, scale, computed, device));
            case INT8 -> parameter.fill(NarrowWeight.int8(stored, computed, device));
        }
    }

    /** Returns what a parameter is kept as where matrices in blocks have a format. */
    private LinearFormat kept(Parameter parameter, LinearFormat format) {
        DType stored = stored(parameter);
        DType computed = parameter.dtype();
        if (stored == null || !parameter.isNarrowable() || format == LinearFormat.COMPUTED) {
            return LinearFormat.COMPUTED;
        }
        if (format == LinearFormat.INT8 && stored.bytes() > 1) {
            return LinearFormat.INT8;
        }
        return stored != computed && stored.bytes() <= computed.bytes()
                ? LinearFormat.STORED
                : LinearFormat.COMPUTED;
    }

    /** Returns the format that a network has some matrix in where it is asked for another. */
    LinearFormat kept(LinearFormat format) {
        return declared.values().stream()
                .map(declaration -> kept(declaration.parameter(), format))
                .max(Comparator.naturalOrder())
                .orElse(LinearFormat.COMPUTED);
    }

    private @Nullable DType stored(Parameter parameter) {
        return source == null ? null : source.dtype(parameter.key()).orElseThrow();
    }

    /**
     * Returns the bytes that filling takes in the CPU's memory.
     *
     * @param shared whether tensors that are kept as they are stored take none
     */
    long bytes(LinearFormat format, boolean shared) {
        boolean stays = device.type() == Device.Type.CPU;
        long bytes = 0;
        for (Declaration declaration : declared.values()) {
            Parameter parameter = declaration.parameter();
            DType from = stored(parameter);
            DType to = from == null ? dtype : parameter.dtype();
            long elements = parameter.shape().elements();
            long one =
                    switch (kept(parameter, format)) {
                        case COMPUTED -> shared && to == from ? 0 : elements * size(to);
                        case STORED -> shared ? 0 : elements * size(from);
                        case INT8 -> elements + parameter.shape().size(0) * DType.FLOAT32.bytes();
                    };
            bytes = stays ? bytes + one : Math.max(bytes, one); // one after the other to the device
        }
        return bytes;
    }

    private static long size(@Nullable DType type) {
        return type == null ? 0 : type.bytes();
    }

    /** Refuses what is to be copied to the CPU's memory and does not fit there. */
    void requireMemory(String network) {
        MemoryBudget.current()
                .require(bytes(LinearFormat.COMPUTED, true), network + " in " + dtype);
    }

    /** Returns a value in the network's type and on its device. */
    private Tensor converted(Parameter parameter, Tensor tensor) {
        return parameter.cast(tensor, dtype == null ? tensor.dtype() : dtype).to(device);
    }

    /** Compares what is declared with a checkpoint. */
    void check(WeightSource checkpoint, String network, Warnings warnings) throws WeightsException {
        var keys = checkpoint.keys();
        var there = new HashSet<>(declared.keySet());
        there.retainAll(keys);
        var found = Float8Scales.of(checkpoint, there, network);
        scales = found;
        var missing = declared.keySet().stream().filter(key -> !keys.contains(key)).toList();
        var extra =
                keys.stream().filter(key -> isExtra(key, checkpoint) && !found.uses(key)).toList();
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
                && !key.substring(key.lastIndexOf('.') + 1).equals(Float8Scales.MARKER)
                && ignored.stream().noneMatch(pattern -> pattern.matcher(key).matches());
    }
}
