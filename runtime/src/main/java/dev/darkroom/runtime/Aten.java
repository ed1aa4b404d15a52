package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.CallFrame;
import dev.darkroom.runtime.internal.ffi.Operator;
import dev.darkroom.runtime.internal.ffi.TensorHandle;
import dev.darkroom.runtime.libtorch.LibtorchException;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Any of libtorch's operators by the name in its schema, for what {@link Tensor} and {@link Ops}
 * have no method for.
 *
 * <pre>{@code
 * Tensor angles = Aten.tensor("atan2", y, x);
 * List<Object> values = Aten.call("aten::topk", scores, 5, -1);
 * }</pre>
 */
public final class Aten {
    private Aten() {}

    /**
     * Calls an operator.
     *
     * @param name the name, with its overload after a dot if it has one: {@code add.Tensor}, {@code
     *     aten::add.Tensor}
     * @param arguments in the schema's order; those left off at the end take their defaults. Each
     *     is a {@link Tensor}, a number, a {@link Boolean}, a {@link String}, a {@link DType}, a
     *     {@link Device}, a {@link Generator}, {@code long[]}, {@code int[]}, {@code double[]},
     *     {@code boolean[]}, a {@link Shape}, a list of tensors (with nulls where the schema allows
     *     them), or null for none
     * @return the results: {@link Tensor}, {@link Long}, {@link Double}, {@link Boolean}, {@link
     *     String}, {@code long[]}, {@code double[]}, {@code boolean[]}, lists of tensors, or null.
     *     A tensor that the operator changes and returns is the argument itself, not another {@link
     *     Tensor} to close
     * @throws LibtorchException.NoSuchOperator if there is no such operator
     * @throws UnsupportedOperationException if the operator is refused, since no arguments are safe
     *     to give it from outside libtorch; the message gives the reason
     * @throws IllegalArgumentException if an argument is of no such type, or not what the schema
     *     says; if a tensor would reach outside its memory; if the operator may change the shape of
     *     an argument that a view, a recording or an {@linkplain Tensor#alias alias} refers to
     * @throws IllegalStateException if an argument that the operator changes is in use by another
     *     thread, or the other way round
     * @throws LibtorchException if libtorch fails the call
     */
    public static List<@Nullable Object> call(String name, @Nullable Object... arguments) {
        CallFrame frame = operator(name).forAnyArguments().call();
        for (Object argument : arguments) {
            put(frame, name, argument);
        }
        List<@Nullable Object> results = new ArrayList<>();
        try {
            for (Object value : frame.values(ThreadState.current().mode().nativeMode)) {
                results.add(result(value, arguments));
            }
        } catch (RuntimeException | Error e) {
            frame.discard();
            throw e;
        }
        frame.done();
        return Collections.unmodifiableList(results);
    }

    /** Calls an operator that returns one tensor. */
    public static Tensor tensor(String name, @Nullable Object... arguments) {
        List<@Nullable Object> results = call(name, arguments);
        if (results.size() == 1 && results.getFirst() instanceof Tensor tensor) {
            return tensor;
        }
        throw new IllegalArgumentException(
                name + " does not return one tensor; use Aten.call for its results");
    }

    /**
     * Returns an operator's schema in PyTorch's notation.
     *
     * @throws LibtorchException.NoSuchOperator if there is no such operator
     */
    public static String schema(String name) {
        return operator(name).describe();
    }

    /**
     * Returns the names of all operators that this libtorch has, such as {@code aten::add.Tensor}.
     */
    public static List<String> names() {
        return Operator.names();
    }

    private static Operator operator(String name) {
        int dot = name.lastIndexOf('.');
        return dot < 0
                ? Operator.find(name, "")
                : Operator.find(name.substring(0, dot), name.substring(dot + 1));
    }

    private static void put(CallFrame frame, String name, @Nullable Object argument) {
        switch (argument) {
            case null -> frame.none();
            case Tensor tensor -> frame.arg(tensor.handle);
            case Long value -> frame.arg(value);
            case Integer value -> frame.arg(value.longValue());
            case Double value -> frame.arg(value);
            case Float value -> frame.arg(value.doubleValue());
            case Boolean value -> frame.arg(value);
            case String value -> frame.arg(value);
            case DType dtype -> frame.arg(dtype.code());
            case Device device -> frame.device(device.code());
            case Generator generator -> frame.generator(generator.handle);
            case Shape shape -> frame.ints(shape.toArray());
            case long[] values -> frame.ints(values);
            case int[] values ->
                    frame.ints(java.util.Arrays.stream(values).asLongStream().toArray());
            case double[] values -> frame.doubles(values);
            case boolean[] values -> frame.bools(values);
            case List<?> list -> putTensors(frame, name, list);
            default ->
                    throw new IllegalArgumentException(
                            name + ": an argument can't be a " + argument.getClass().getName());
        }
    }

    private static void putTensors(CallFrame frame, String name, List<?> list) {
        List<TensorHandle> handles = new ArrayList<>(list.size());
        List<@Nullable TensorHandle> optionals = new ArrayList<>(list.size());
        for (Object element : list) {
            if (element instanceof Tensor tensor) {
                handles.add(tensor.handle);
                optionals.add(tensor.handle);
            } else if (element == null) {
                optionals.add(null);
            } else {
                throw new IllegalArgumentException(
                        name + ": a list holds tensors, not a " + element.getClass().getName());
            }
        }
        if (handles.size() < optionals.size()) {
            frame.optionalTensors(optionals);
        } else {
            frame.tensors(handles);
        }
    }

    private static @Nullable Object result(@Nullable Object value, @Nullable Object[] arguments) {
        if (value instanceof TensorHandle handle) {
            for (Object argument : arguments) {
                if (argument instanceof Tensor tensor && tensor.handle == handle) {
                    return tensor;
                }
            }
            return Tensor.adopt(handle);
        }
        return value instanceof @Nullable TensorHandle[] handles ? Tensor.adoptAll(handles) : value;
    }
}
