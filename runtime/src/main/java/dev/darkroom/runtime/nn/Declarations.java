package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.WeightsException.Misfit;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/** What the constructors of one network have declared, and the checkpoint to hold it against. */
final class Declarations {
    /** A parameter and how to draw it. */
    record Declaration(Parameter parameter, Init init) {
        Tensor draw(Generator generator) {
            return init.draw(parameter.shape(), generator);
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

    private final @Nullable WeightSource source;
    private final @Nullable DType dtype;
    private final Device device;
    private final Map<String, Declaration> declared = new LinkedHashMap<>();
    private final List<Parameter> constants = new ArrayList<>();
    private final List<String> ignored = new ArrayList<>();

    /**
     * @param source null for drawn parameters
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
        if (declared.putIfAbsent(parameter.key(), new Declaration(parameter, init)) != null) {
            throw new IllegalStateException(parameter.key() + " is declared twice");
        }
    }

    void addConstant(Parameter parameter, Tensor value) {
        parameter.set(value);
        constants.add(parameter);
    }

    void ignore(String pattern) {
        ignored.add(pattern);
    }

    /** Constructs, checks and fills; frees what was made if one of these fails. */
    <M extends Module, E extends Exception> M build(
            Function<Weights, M> network, Check<E> check, Fill<E> fill) throws E {
        boolean done = false;
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            M root = network.apply(new Weights(this));
            check.run(root.getClass().getSimpleName());
            requireMemory(root.getClass().getSimpleName());
            for (Parameter constant : constants) {
                constant.set(place(constant, constant.value()));
            }
            for (Declaration declaration : declared.values()) {
                try (var one = TensorScope.open()) {
                    Parameter parameter = declaration.parameter();
                    parameter.set(place(parameter, fill.value(declaration)));
                }
            }
            done = true;
            return root;
        } finally {
            if (!done) {
                declared.values().forEach(declaration -> declaration.parameter().close());
                constants.forEach(Parameter::close);
            }
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
            DType from = source == null ? null : source.dtype(parameter.key());
            DType to = from == null || from.isFloatingPoint() ? dtype : from;
            if (to != null && to != from) {
                bytes += parameter.shape().elements() * to.bytes();
            }
        }
        MemoryBudget.current().require(bytes, network + " in " + dtype);
    }

    private Tensor place(Parameter parameter, Tensor tensor) {
        return parameter.cast(tensor, dtype == null ? tensor.dtype() : dtype).to(device);
    }

    /** Holds what is declared against a checkpoint. */
    void check(WeightSource checkpoint, String network) throws WeightsException {
        var keys = checkpoint.keys();
        var missing = declared.keySet().stream().filter(key -> !keys.contains(key)).toList();
        var unexpected =
                keys.stream().filter(key -> !declared.containsKey(key) && !isIgnored(key)).toList();
        var misfits =
                declared.values().stream()
                        .map(Declaration::parameter)
                        .filter(parameter -> keys.contains(parameter.key()))
                        .map(parameter -> misfit(parameter, checkpoint))
                        .flatMap(Optional::stream)
                        .toList();
        if (!missing.isEmpty() || !unexpected.isEmpty() || !misfits.isEmpty()) {
            throw new WeightsException(checkpoint.name(), network, missing, unexpected, misfits);
        }
    }

    private static Optional<Misfit> misfit(Parameter parameter, WeightSource checkpoint) {
        Shape shape = checkpoint.shape(parameter.key());
        DType type = checkpoint.dtype(parameter.key());
        boolean fits =
                shape.equals(parameter.shape()) && (type.isFloatingPoint() || parameter.isBuffer());
        return fits
                ? Optional.empty()
                : Optional.of(
                        new Misfit(parameter.key(), parameter.shape(), type.toString() + shape));
    }

    private boolean isIgnored(String key) {
        return ignored.stream()
                .anyMatch(
                        pattern ->
                                pattern.endsWith("*")
                                        ? key.startsWith(pattern.substring(0, pattern.length() - 1))
                                        : key.equals(pattern));
    }
}
