package dev.darkroom.runtime;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;

/** The public methods of {@link Tensor} and {@link Ops}, attacked as operators are. */
final class HostileMethods {
    private static final String PREFIX = "java:";

    /**
     * Addresses are the caller's promise; a DLPack tensor that nobody takes over is never freed.
     */
    private static final List<String> PROMISES = List.of("fromDlpack", "freeDlpack", "toDlpack");

    private static final TreeMap<String, Method> METHODS = new TreeMap<>();

    static {
        Stream.of(Tensor.class, Ops.class)
                .flatMap(PublicMethods::of)
                .filter(method -> !PROMISES.contains(method.getName()))
                .forEach(method -> METHODS.put(PREFIX + PublicMethods.name(method), method));
    }

    private HostileMethods() {}

    static List<String> names() {
        return List.copyOf(METHODS.keySet());
    }

    static boolean isOne(String name) {
        return name.startsWith(PREFIX);
    }

    /** The receiver and the arguments of a call. */
    static @Nullable Object[] arguments(String name, HostileArguments from) {
        Method method = METHODS.get(name);
        var values = new @Nullable Object[method.getParameterCount() + 1];
        values[0] = Modifier.isStatic(method.getModifiers()) ? null : from.tensor("self");
        for (int i = 1; i < values.length; i++) {
            values[i] = value(method.getParameterTypes()[i - 1], from);
        }
        return values;
    }

    private static @Nullable Object value(Class<?> type, HostileArguments from) {
        if (type == Tensor.class) {
            return from.tensor("tensor");
        } else if (type == Tensor[].class) {
            return new Tensor[] {from.tensor("a"), from.tensor("b")};
        } else if (type == List.class) {
            return List.of(from.tensor("a"), from.tensor("b"));
        } else if (type == int.class) {
            return (int) from.integer("dim");
        } else if (type == long.class) {
            return from.integer("count");
        } else if (type == double.class || type == Double.class) {
            return from.real();
        } else if (type == boolean.class) {
            return from.integer("flag") % 2 == 0;
        } else if (type == int[].class) {
            return Arrays.stream(from.integers()).mapToInt(i -> (int) i).toArray();
        } else if (type == long[].class) {
            return from.integers();
        } else if (type == DType.class) {
            return from.tensor("dtype").dtype();
        } else if (type == Device.class) {
            return Device.CPU;
        } else if (type == Shape.class) {
            return Shape.of(from.integers());
        } else if (type == MemorySegment.class) {
            return java.lang.foreign.Arena.ofAuto().allocate(24, 8);
        } else if (type == float[].class) {
            return new float[4];
        } else if (type == double[].class) {
            return new double[4];
        } else if (type == byte[].class) {
            return new byte[4];
        } else if (type == boolean[].class) {
            return new boolean[4];
        }
        return null; // a generator, for libtorch's own
    }

    static @Nullable Object call(String name, @Nullable Object[] arguments) {
        try {
            return METHODS.get(name)
                    .invoke(arguments[0], Arrays.copyOfRange(arguments, 1, arguments.length));
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw new AssertionError(name + " threw " + e.getCause(), e);
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }
}
