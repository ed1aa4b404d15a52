package dev.darkroom.runtime;

import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.Segments;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.MasterWeights;
import dev.darkroom.runtime.optim.Optimizer;
import dev.darkroom.runtime.optim.ParameterGroup;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Proxy;
import java.lang.reflect.Type;
import java.lang.reflect.WildcardType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;

/** Arguments of a call of {@link Misuse}: shared, of its own, null, out of range, or closed. */
final class MisuseArguments {
    private static final long[] NUMBERS = {
        -1, 5, -3, 1L << 40, 1L << 62, Long.MAX_VALUE, Long.MIN_VALUE
    };
    private static final double[] REALS = {
        0, 1, 0.5, -1, 1e-30, 1e30, Double.NaN, Double.POSITIVE_INFINITY, -1e308
    };
    private static final String[] TEXTS = {
        "",
        "linear",
        "weight",
        "linear.weight",
        "cpu",
        "cuda:7",
        "8g",
        "-1",
        "silu",
        "FLOAT32",
        "own",
        "bfloat16.products=own",
        "aten::add.Tensor",
        "none.such",
        "\0",
        "CPU",
        "model"
    };
    private static final Object[][] HATCH = {
        {"resize_", new long[] {64}},
        {"resize_", new long[] {1}},
        {"resize_", new long[] {1L << 61, 4}},
        {"as_strided_", new long[] {2, 2}, new long[] {1L << 61, 1}},
        {"add_.Scalar", 1},
        {"transpose_", 0, 1},
        {"squeeze_"},
        {"zero_"},
        {"detach_"},
        {"set_"},
        {"requires_grad_", true}
    };
    private static final List<String> OPERATORS =
            Aten.names().stream()
                    .filter(name -> HostileArguments.parse(Aten.schema(name)).isPresent())
                    .toList();
    private static final AtomicLong FILES = new AtomicLong();

    private final MisusePool pool;
    private final Random random;

    /** What most tensors of the call's own are like, so that they fit together. */
    private final long[] shape;

    private final int kind;

    /** Whether all are, so that the call is likely to get far. */
    private final boolean fits;

    /** Whether null is among the arguments, where it need not be allowed. */
    private boolean hasNull;

    /** What is given null as the argument at {@link #nullAt}. */
    private @Nullable Executable nullTo;

    private int nullAt;

    /** Where the call may declare parameters, if it is one for constructors of modules. */
    private @Nullable Weights weights;

    /** Whether a tensor over an arena that may be closed at any time is among them. */
    private boolean borrows;

    MisuseArguments(MisusePool pool, Random random) {
        this.pool = pool;
        this.random = random;
        shape = MisusePool.shape(random);
        kind = MisusePool.kind(random);
        fits = random.nextInt(4) == 0;
    }

    void declareIn(Weights place) {
        weights = place;
    }

    boolean hasNull() {
        return hasNull;
    }

    boolean borrows() {
        return borrows;
    }

    /** The object that a method is called on; null if there is none of its type. */
    @Nullable Object receiver(Executable called) {
        Class<?> type = PublicMethods.owner(called);
        if (type == Tensor.class) {
            // Integers may be others' indices, which are not changed while they are read.
            boolean changes = called.getName().endsWith("InPlace");
            for (int i = 0; i < 8; i++) {
                Tensor tensor = tensor(called);
                if (!changes || mayChange(tensor)) {
                    return tensor;
                }
            }
            return fresh();
        }
        return one(type, called);
    }

    private static boolean mayChange(Tensor tensor) {
        try {
            return tensor.dtype().isFloatingPoint() && !Mode.current().recordsGradients();
        } catch (IllegalStateException e) {
            return true;
        }
    }

    /** Has a call get null as one of its arguments. */
    void giveNull(Executable called, int index) {
        nullTo = called;
        nullAt = index;
    }

    @Nullable Object[] of(Executable called) {
        @Nullable Object[] values = any(called);
        if (called.equals(nullTo)) {
            values[nullAt] = null;
        }
        return values;
    }

    private @Nullable Object[] any(Executable called) {
        if (called.getDeclaringClass() == Aten.class && called.getName().matches("call|tensor")) {
            return hatch();
        } else if (called.getDeclaringClass() == Gradients.class && random.nextBoolean()) {
            return gradients(called);
        }
        Type[] types = called.getGenericParameterTypes();
        if (types.length != called.getParameterCount()) {
            types = called.getParameterTypes();
        }
        var values = new @Nullable Object[types.length];
        for (int i = 0; i < types.length; i++) {
            boolean none =
                    called.getAnnotatedParameterTypes()[i].isAnnotationPresent(Nullable.class)
                            && random.nextInt(3) == 0;
            values[i] = none ? null : value(types[i], called);
            if (called.getDeclaringClass() == Weights.class && types[i] == int.class) {
                values[i] = random.nextInt(3); // as many networks as the caller asks for
            } else if (called.getDeclaringClass().isEnum() && random.nextBoolean()) {
                values[i] = ((Enum<?>) one(called.getDeclaringClass(), called)).name();
            }
        }
        return values;
    }

    /** A call through {@link Aten}: an operator with arguments of its own, or a shared tensor. */
    private @Nullable Object[] hatch() {
        if (random.nextBoolean()) {
            String name = OPERATORS.get(random.nextInt(OPERATORS.size()));
            var parameters = HostileArguments.parse(Aten.schema(name)).orElseThrow();
            return new Object[] {name, new HostileArguments(parameters, random.nextLong()).make()};
        }
        Object[] call = HATCH[random.nextInt(HATCH.length)];
        var arguments = call.clone();
        Tensor shared = pool.shared(random);
        arguments[0] = mayChange(shared) ? shared : fresh();
        return new Object[] {call[0], arguments};
    }

    /** Gradients of what was computed from a leaf that other threads may be using so, too. */
    private @Nullable Object[] gradients(Executable called) {
        Tensor leaf = pool.shared(random);
        try (var guard = Mode.GRAD.enter()) {
            List<Tensor> outputs = List.of(leaf.times(2).sum());
            List<@Nullable Tensor> ones = Arrays.asList((Tensor) null);
            return called.getName().equals("of")
                    ? new Object[] {outputs, ones, List.of(leaf), random.nextBoolean()}
                    : new Object[] {outputs, ones, random.nextBoolean()};
        }
    }

    private @Nullable Object value(Type type, Executable called) {
        Class<?> raw = raw(type);
        if (!raw.isPrimitive() && random.nextInt(40) == 0) {
            hasNull = true;
            return null;
        }
        if (raw.isArray() && raw.getComponentType() == Tensor.class) {
            return list(Tensor.class, called).toArray(Tensor[]::new);
        } else if (raw.isArray()) {
            int length = random.nextInt(5);
            Object array = Array.newInstance(raw.getComponentType(), length);
            for (int i = 0; i < length; i++) {
                Array.set(array, i, value(raw.getComponentType(), called));
            }
            return array;
        } else if (raw == List.class || raw == Collection.class) {
            return list(argument(type, 0), called);
        } else if (raw == Set.class) {
            return new LinkedHashSet<>(list(argument(type, 0), called));
        } else if (raw == Map.class) {
            return map(argument(type, 1), called);
        } else if (raw == Optional.class) {
            return Optional.ofNullable(value(argument(type, 0), called));
        }
        return one(raw, called);
    }

    private List<@Nullable Object> list(Type of, Executable called) {
        List<@Nullable Object> list = new ArrayList<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            list.add(value(of, called));
        }
        return list;
    }

    private Map<String, @Nullable Object> map(Type of, Executable called) {
        if (random.nextBoolean()) {
            // one that fits
            Object from =
                    pool.any(random.nextBoolean() ? Optimizer.class : MisusePool.Net.class, random);
            Map<?, ?> fitting =
                    from instanceof Optimizer optimizer
                            ? optimizer.state()
                            : of == Tensor.class
                                    ? ((MisusePool.Net) from).state()
                                    : ((MisusePool.Net) from).parameters();
            if (of == Tensor.class || (of == Parameter.class && !(from instanceof Optimizer))) {
                var copy = new HashMap<String, @Nullable Object>();
                fitting.forEach((key, each) -> copy.put((String) key, each));
                return copy;
            }
        }
        var map = new HashMap<String, @Nullable Object>();
        for (int i = random.nextInt(4); i > 0; i--) {
            map.put(text(), value(of, called));
        }
        return map;
    }

    private String text() {
        return TEXTS[random.nextInt(TEXTS.length)];
    }

    private Tensor fresh() {
        return MisusePool.fresh(
                fits || random.nextInt(4) != 0 ? kind : MisusePool.kind(random),
                fits || random.nextInt(4) != 0 ? shape : MisusePool.shape(random));
    }

    private Tensor tensor(Executable called) {
        int source = random.nextInt(10);
        if (called.getDeclaringClass() == Generator.class && random.nextBoolean()) {
            return ((Generator) pool.any(Generator.class, random)).state();
        } else if (source == 0
                && !Mode.current().recordsGradients()
                && (PublicMethods.owner(called) == Tensor.class
                        || PublicMethods.owner(called) == Ops.class)
                && !called.getName().matches("setGrad|backward|requiresGrad|alias|toDlpack")) {
            try {
                var memory = pool.segments.get(random.nextInt(pool.arenas.length()));
                Tensor tensor = Tensor.borrow(memory, DType.FLOAT32, Shape.of(4, 4));
                borrows = true;
                return tensor;
            } catch (IllegalArgumentException | IllegalStateException e) {
                return fresh();
            }
        }
        return fits || source < 5 ? fresh() : pool.shared(random);
    }

    private @Nullable Object one(Class<?> type, Executable called) {
        if (type == Tensor.class) {
            return tensor(called);
        } else if (type == int.class || type == Integer.class) {
            long number = integer();
            return Math.clamp(number, Integer.MIN_VALUE, Integer.MAX_VALUE);
        } else if (type == long.class || type == Long.class) {
            return integer();
        } else if (type == double.class || type == Double.class) {
            return REALS[random.nextInt(REALS.length)];
        } else if (type == float.class) {
            return (float) REALS[random.nextInt(REALS.length)];
        } else if (type == boolean.class || type == Boolean.class) {
            return random.nextBoolean();
        } else if (type == byte.class) {
            return (byte) random.nextInt();
        } else if (type == String.class) {
            return text();
        } else if (type == Device.class) {
            return random.nextInt(8) == 0 ? Device.cuda(7) : Device.CPU;
        } else if (type.isEnum()) {
            return type.getEnumConstants()[random.nextInt(type.getEnumConstants().length)];
        } else if (type == Shape.class) {
            return shape();
        } else if (type == MemorySegment.class) {
            MemorySegment shared = pool.segments.get(random.nextInt(pool.segments.length()));
            return shared == null || random.nextBoolean()
                    ? random.nextBoolean()
                            ? MemorySegment.ofArray(new float[4])
                            : Arena.ofAuto().allocate(16, 8)
                    : shared;
        } else if (type == Path.class) {
            return path(called);
        } else if (type == Class.class) {
            return random.nextBoolean() ? Linear.class : MisusePool.Net.class;
        } else if (type == Throwable.class) {
            return new IllegalStateException("a cause");
        } else if (type == Object.class) {
            Object any = pool.any(Object.class, random);
            return random.nextBoolean() ? any : tensor(called);
        } else if (Segments.class.isAssignableFrom(type) && random.nextBoolean()) {
            return type.isInstance(Segments.RECORDED) ? Segments.RECORDED : pool.any(type, random);
        }
        if (type == Weights.class) {
            return weights;
        } else if (type == TensorScope.class && random.nextBoolean()) {
            return ThreadState.current().scope();
        } else if (type == Mode.Guard.class && random.nextBoolean()) {
            return Mode.GRAD.enter();
        }
        Object pooled = pool.any(type, random);
        if (pooled == null && type.isInterface()) {
            return foreign(type, called);
        } else if (pooled == null && type.isRecord()) {
            pooled = record(type);
        }
        hasNull |= pooled == null;
        return pooled;
    }

    private @Nullable Object record(Class<?> type) {
        Constructor<?> canonical = type.getDeclaredConstructors()[0];
        try {
            return canonical.newInstance(of(canonical));
        } catch (ReflectiveOperationException e) {
            return null; // refuses these components
        }
    }

    private long integer() {
        return random.nextInt(10) < 8 ? random.nextInt(5) : NUMBERS[random.nextInt(NUMBERS.length)];
    }

    private Shape shape() {
        var sizes = new long[random.nextInt(5)];
        for (int i = 0; i < sizes.length; i++) {
            sizes[i] = Math.abs(integer() == 1L << 40 ? 1L << 40 : random.nextInt(5));
        }
        return Shape.of(sizes);
    }

    private Path path(Executable called) {
        if (called.getName().matches("save|write")) {
            return random.nextInt(4) == 0
                    ? pool.folder
                    : pool.folder.resolve("out").resolve("f" + FILES.incrementAndGet() % 32);
        }
        return switch (random.nextInt(4)) {
            case 0 -> pool.folder;
            case 1 -> pool.folder.resolve("broken.safetensors");
            case 2 -> Path.of("none");
            default -> pool.weights;
        };
    }

    /** Code of the caller's, which throws, or leaves scopes and modes, or behaves. */
    private Object foreign(Class<?> type, Executable called) {
        InvocationHandler handler =
                (self, method, given) -> {
                    if (method.getDeclaringClass() == Object.class) {
                        return switch (method.getName()) {
                            case "hashCode" -> 1;
                            case "equals" -> self == given[0];
                            default -> "foreign";
                        };
                    }
                    return behave(method, given, called);
                };
        return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler);
    }

    private @Nullable Object behave(Method method, @Nullable Object[] given, Executable called) {
        switch (random.nextInt(8)) {
            case 0 -> throw new Foreign();
            case 1 -> TensorScope.open();
            case 2 -> Mode.GRAD.enter();
            default -> {
                // behaves
            }
        }
        Class<?> wanted = method.getReturnType();
        if (wanted == double.class) {
            return random.nextDouble();
        } else if (wanted == void.class) {
            return null;
        }
        boolean staysAttached = method.getDeclaringClass() == Linear.Adapter.class;
        if (!staysAttached && random.nextInt(20) == 0) {
            hasNull = true;
            return null;
        }
        Object first = given == null || given.length == 0 ? null : given[0];
        return switch (first) {
            case Weights weights when wanted == UnaryOperator.class -> UnaryOperator.identity();
            case Weights weights -> new MisusePool.Net(weights);
            case List<?> list when called.getDeclaringClass() == MasterWeights.class ->
                    new AdamW(groups(list), AdamW.Options.DEFAULTS);
            case Segments.Inputs in when called.getName().equals("runAll") ->
                    List.of(segment(in, called));
            case Segments.Inputs in -> segment(in, called);
            case null, default -> wanted == Object.class && first != null ? first : tensor(called);
        };
    }

    private Tensor segment(Segments.Inputs in, Executable called) {
        return in.tensors().isEmpty() ? tensor(called) : in.get(0).times(2);
    }

    private static List<ParameterGroup> groups(List<?> list) {
        return list.stream().map(ParameterGroup.class::cast).toList();
    }

    /** What the caller's own code throws. */
    static final class Foreign extends RuntimeException {
        private static final long serialVersionUID = 1;

        Foreign() {
            super("the caller's own", null, false, false);
        }
    }

    private static Class<?> raw(Type type) {
        return switch (type) {
            case Class<?> raw -> raw;
            case ParameterizedType generic -> raw(generic.getRawType());
            case java.lang.reflect.GenericArrayType array ->
                    raw(array.getGenericComponentType()).arrayType();
            case WildcardType wildcard -> raw(wildcard.getUpperBounds()[0]);
            case java.lang.reflect.TypeVariable<?> variable -> raw(variable.getBounds()[0]);
            default -> Object.class;
        };
    }

    private static Type argument(Type type, int index) {
        return type instanceof ParameterizedType generic
                ? raw(generic.getActualTypeArguments()[index])
                : Object.class;
    }
}
