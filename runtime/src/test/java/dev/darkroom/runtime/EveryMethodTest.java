package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/**
 * Calls every public method of {@link Tensor} and {@link Ops} with tensors of many shapes, so that
 * each is seen to succeed and to fail, and finds the live count as it was.
 */
class EveryMethodTest {
    /** Methods that take any arguments of their types: a failure of theirs can't be provoked. */
    private static final List<String> NEVER_FAIL = List.of("toString", "isClosed", "freeDlpack");

    @TestFactory
    Stream<DynamicTest> leavesTheLiveCountAsItWas() {
        return Stream.of(Tensor.class, Ops.class)
                .flatMap(PublicMethods::of)
                .sorted(Comparator.comparing(Method::toString))
                .map(
                        method ->
                                DynamicTest.dynamicTest(
                                        PublicMethods.name(method), () -> exercise(method)));
    }

    private static void exercise(Method method) throws IllegalAccessException {
        long before = Memory.liveTensors();
        int succeeded = 0;
        int failed = 0;
        for (int variant = 0; variant < 96; variant++) {
            for (boolean closed : new boolean[] {false, true}) {
                try (Arena arena = Arena.ofConfined();
                        var scope = TensorScope.open()) {
                    var arguments = new Arguments(arena, variant, closed);
                    try {
                        Object self =
                                Modifier.isStatic(method.getModifiers())
                                        ? null
                                        : arguments.self(method);
                        Object result = method.invoke(self, arguments.of(method));
                        if (method.getName().equals("toDlpack")) {
                            Tensor.freeDlpack((long) result);
                        }
                        succeeded++;
                    } catch (InvocationTargetException e) {
                        assertTrue(
                                e.getCause() instanceof RuntimeException,
                                () -> "threw " + e.getCause());
                        failed++;
                    }
                }
                assertEquals(before, Memory.liveTensors(), "after variant " + variant);
            }
        }
        assertTrue(succeeded > 0, "no variant of the arguments was accepted");
        assertTrue(failed > 0 || isTotal(method), "no variant of the arguments was refused");
    }

    private static boolean isTotal(Method method) {
        return NEVER_FAIL.contains(method.getName())
                || Modifier.isStatic(method.getModifiers())
                        && Arrays.stream(method.getParameterTypes())
                                .noneMatch(
                                        type ->
                                                type == Tensor.class
                                                        || type == Tensor[].class
                                                        || type == List.class
                                                        || type == MemorySegment.class);
    }

    /** Makes arguments; the variant's digits choose shapes, numbers and types. */
    private static final class Arguments {
        private static final long[][] SHAPES = {
            {2, 2}, {1}, {2, 4, 4, 4}, {4}, {2, 2, 2}, {}, {1, 2}, {3, 4, 5}
        };
        private final Arena arena;
        private final int variant;
        private final boolean closed;
        private int made;

        Arguments(Arena arena, int variant, boolean closed) {
            this.arena = arena;
            this.variant = variant;
            this.closed = closed;
        }

        Object[] of(Method method) {
            Class<?>[] types = method.getParameterTypes();
            var values = new Object[types.length];
            for (int i = 0; i < types.length; i++) {
                boolean left =
                        method.getAnnotatedParameterTypes()[i].isAnnotationPresent(Nullable.class)
                                && number() < 2;
                values[i] = left ? null : value(method, types[i]);
            }
            if (method.getName().equals("randint") && number() > 0) {
                values[1] = 10L;
            }
            return values;
        }

        private int number() {
            return variant / (4 * SHAPES.length);
        }

        /** The tensor that a method is called on. */
        Tensor self(Method method) {
            Tensor self = tensor();
            return method.getName().equals("backward") && !closed && self.dtype() == DType.FLOAT32
                    ? self.requiresGrad(true)
                    : self;
        }

        private Tensor tensor() {
            int shape = variant % SHAPES.length;
            int kind = variant / SHAPES.length % 4;
            if (kind == 3 && made > 0) {
                shape = (shape + made) % SHAPES.length;
            }
            boolean lastIsIndex = kind == 1 && made > 0;
            made++;
            DType dtype =
                    lastIsIndex || kind == 2 ? kind == 2 ? DType.BOOL : DType.INT64 : DType.FLOAT32;
            Tensor tensor = Tensor.ones(dtype, SHAPES[shape]);
            if (closed) {
                tensor.close();
            }
            return tensor;
        }

        private Object value(Method method, Class<?> type) {
            int number = number();
            if (method.getName().equals("fromDlpack") || method.getName().equals("freeDlpack")) {
                try (var scope = TensorScope.open()) {
                    return Tensor.ones(DType.FLOAT32, 2).toDlpack();
                }
            }
            if (type == Tensor.class) {
                return tensor();
            } else if (type == Tensor[].class) {
                return new Tensor[] {tensor(), tensor()};
            } else if (type == List.class) {
                return List.of(tensor(), tensor());
            } else if (type == int.class) {
                return number - 1;
            } else if (type == long.class) {
                return (long) number;
            } else if (type == double.class || type == Double.class) {
                return 0.25 * number;
            } else if (type == boolean.class) {
                return number % 2 == 0;
            } else if (type == int[].class) {
                return dims(number);
            } else if (type == long[].class) {
                return number == 0 ? new long[] {2, 2} : number == 1 ? new long[] {1} : SHAPES[2];
            } else if (type == DType.class) {
                return number == 1 ? DType.FLOAT64 : DType.FLOAT32;
            } else if (type == Device.class) {
                return number == 1 ? Device.cuda(99) : Device.CPU;
            } else if (type == Shape.class) {
                return Shape.of(2, number);
            } else if (type == Generator.class) {
                return null;
            } else if (type == MemorySegment.class) {
                return arena.allocate(8L * 2 * Math.max(number, 1) / 2, 8);
            } else if (type == float[].class) {
                return new float[4];
            } else if (type == double[].class) {
                return new double[4];
            } else if (type == byte[].class) {
                return new byte[4];
            } else if (type == boolean[].class) {
                return new boolean[4];
            }
            throw new AssertionError("no argument for " + type + "; teach this test to make one");
        }

        private int[] dims(int number) {
            int rank = SHAPES[variant % SHAPES.length].length;
            return number == 0
                    ? new int[] {0}
                    : number == 1
                            ? java.util.stream.IntStream.range(0, rank).toArray()
                            : new int[] {5};
        }
    }
}
