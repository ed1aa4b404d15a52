package dev.darkroom.runtime;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;

/**
 * Arguments for an operator, made from its schema: of the right types, so that libtorch's kernels
 * are reached, of shapes that often fit together, and with values that kernels trust though they
 * should not: indices outside, sizes that overflow, strides of 0, bytes that are no booleans.
 */
final class HostileArguments {
    private static final long[][] SHAPES = {
        {2, 3},
        {4},
        {1, 2, 4, 4},
        {2, 3, 4},
        {1, 2, 3, 4, 4},
        {8, 8},
        {},
        {0},
        {2, 0, 3},
        {1, 1, 1, 1}
    };
    private static final DType[] TYPES = {
        DType.FLOAT32,
        DType.FLOAT32,
        DType.FLOAT32,
        DType.FLOAT64,
        DType.INT64,
        DType.BFLOAT16,
        DType.UINT8,
        DType.BOOL,
        DType.INT32,
        DType.FLOAT16
    };
    private static final long[] NUMBERS = {
        -1, 5, -3, 100, 1L << 40, 1L << 62, Long.MAX_VALUE, Long.MIN_VALUE, -(1L << 40)
    };
    private static final double[] REALS = {
        0, 1, 0.5, -1, 1e-30, 1e30, Double.NaN, Double.POSITIVE_INFINITY, -1e308
    };
    private static final String[] TEXTS = {
        "", "mean", "none", "linear", "ij,jk->ik", "reflect", "U"
    };

    /** A parameter of a schema: {@code int[2] stride=1}. */
    record Parameter(String type, String name, boolean optional) {}

    private final List<Parameter> parameters;
    private final Random random;
    private final long[] shape;
    private final DType dtype;

    HostileArguments(List<Parameter> parameters, long seed) {
        this.parameters = parameters;
        random = new Random(seed);
        shape = SHAPES[random.nextInt(SHAPES.length)];
        dtype = TYPES[random.nextInt(TYPES.length)];
    }

    /** The parameters of a schema; empty if one is of a type that can't be passed. */
    static Optional<List<Parameter>> parse(String schema) {
        List<Parameter> parameters = new ArrayList<>();
        int depth = 0;
        int start = schema.indexOf('(') + 1;
        for (int i = start - 1; i < schema.length(); i++) {
            char c = schema.charAt(i);
            if (c == '(' || c == '[') {
                depth++;
            } else if (c == ')' || c == ']') {
                depth--;
            }
            if ((c == ',' && depth == 1) || depth == 0) {
                String text = schema.substring(start, i).strip();
                start = i + 1;
                if (!text.isEmpty() && !text.equals("*")) {
                    parameters.add(parameter(text));
                }
            }
            if (depth == 0) {
                break;
            }
        }
        return parameters.stream().allMatch(p -> p.optional || isKnown(p.type))
                ? Optional.of(parameters)
                : Optional.empty();
    }

    private static Parameter parameter(String text) {
        int end = text.indexOf('=');
        String declared = (end < 0 ? text : text.substring(0, end)).strip();
        int space = declared.lastIndexOf(' ');
        if (space < 0) {
            return new Parameter(declared, "", false);
        }
        String type = declared.substring(0, space).replaceAll("\\([^)]*\\)", "").strip();
        boolean optional = type.endsWith("?");
        return new Parameter(
                (optional ? type.substring(0, type.length() - 1) : type).replace("SymInt", "int"),
                declared.substring(space + 1),
                optional);
    }

    private static boolean isKnown(String type) {
        return List.of(
                        "Tensor",
                        "int",
                        "float",
                        "bool",
                        "str",
                        "Scalar",
                        "ScalarType",
                        "Layout",
                        "MemoryFormat",
                        "Device",
                        "Generator",
                        "number")
                .contains(type.replaceAll("\\?|\\[\\d*\\]", ""));
    }

    @Nullable Object[] make() {
        return parameters.stream().map(this::value).toArray();
    }

    private boolean chance(double probability) {
        return random.nextDouble() < probability;
    }

    private @Nullable Object value(Parameter parameter) {
        String type = parameter.type;
        if (!isKnown(type) || (parameter.optional && chance(0.4))) {
            return null;
        }
        if (type.startsWith("Tensor") && type.endsWith("]")) {
            int count = random.nextInt(4);
            List<@Nullable Tensor> list = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                list.add(type.contains("?") && chance(0.3) ? null : tensor(parameter.name));
            }
            return list;
        } else if (type.endsWith("]")) {
            return list(type, parameter.name);
        }
        return switch (type) {
            case "Tensor" -> tensor(parameter.name);
            case "int" -> integer(parameter.name);
            case "float" -> real();
            case "Scalar", "number" ->
                    chance(0.5) ? (Object) integer(parameter.name) : (Object) real();
            case "bool" -> chance(0.5);
            case "str" -> TEXTS[random.nextInt(TEXTS.length)];
            case "ScalarType" -> TYPES[random.nextInt(TYPES.length)];
            case "Layout", "MemoryFormat" -> (long) random.nextInt(5);
            case "Device" -> Device.CPU;
            case "Generator" -> null; // one of its own would have to be closed
            default -> throw new AssertionError(type);
        };
    }

    private Object list(String type, String name) {
        String digits = type.replaceAll("\\D", "");
        int size =
                chance(0.9) && !digits.isEmpty()
                        ? Integer.parseInt(digits)
                        : chance(0.7) ? shape.length : random.nextInt(5);
        if (type.startsWith("bool")) {
            var values = new boolean[size];
            for (int i = 0; i < size; i++) {
                values[i] = chance(0.5);
            }
            return values;
        } else if (type.startsWith("float")) {
            return random.doubles(size, 0, 4).toArray();
        }
        if (chance(0.3) && size == shape.length) {
            return shape.clone();
        }
        var values = new long[size];
        for (int i = 0; i < size; i++) {
            values[i] = integer(name);
        }
        return values;
    }

    /** A number, in reach or not. */
    double real() {
        return REALS[random.nextInt(REALS.length)];
    }

    /** About as many integers as the tensors have dimensions. */
    long[] integers() {
        return (long[]) list("int[]", "sizes");
    }

    long integer(String name) {
        boolean dimension = name.startsWith("dim") || name.equals("axis");
        return chance(0.8)
                ? random.nextInt(dimension ? Math.max(shape.length, 1) : 4)
                : NUMBERS[random.nextInt(NUMBERS.length)];
    }

    private static boolean isIndex(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        return List.of(
                        "ind", "offset", "length", "target", "crow", "col", "row", "idx", "bag",
                        "pos")
                .stream()
                .anyMatch(lower::contains);
    }

    Tensor tensor(String name) {
        long[] sizes = chance(0.75) ? shape : SHAPES[random.nextInt(SHAPES.length)];
        if (chance(isIndex(name) ? 0.8 : 0.1)) {
            return indices(sizes, chance(0.8) ? DType.INT64 : DType.INT32);
        }
        DType type = chance(0.85) ? dtype : TYPES[random.nextInt(TYPES.length)];
        Tensor plain = plain(sizes, type);
        int form = random.nextInt(14);
        if (form == 0 && sizes.length > 1) {
            return plain.transpose(0, sizes.length - 1);
        } else if (form == 1 && sizes.length > 0 && sizes[0] == 1) {
            return plain.expand(append(new long[] {7}, Arrays.copyOfRange(sizes, 1, sizes.length)));
        } else if (form == 2) {
            return plain.narrow(0, 0, sizes.length == 0 ? 0 : sizes[0] / 2);
        } else if (form == 3 && (type == DType.FLOAT32 || type == DType.FLOAT64)) {
            return plain.requiresGrad(true);
        } else if (form == 4 && chance(0.3)) {
            return Aten.tensor("to_sparse", plain);
        } else if (form == 5 && (type == DType.FLOAT32 || type == DType.FLOAT64)) {
            return Aten.tensor("complex", plain, plain);
        }
        return plain;
    }

    private static long[] append(long[] head, long[] tail) {
        long[] joined = Arrays.copyOf(head, head.length + tail.length);
        System.arraycopy(tail, 0, joined, head.length, tail.length);
        return joined;
    }

    private Tensor plain(long[] sizes, DType type) {
        Tensor tensor = Tensor.empty(Shape.of(sizes), type, Device.CPU);
        if (type == DType.BOOL) {
            // whatever is not 0 is true to Java, and a kernel may count on 0 and 1
            return Tensor.full(Shape.of(sizes), chance(0.5) ? 1 : 0, type, Device.CPU);
        }
        return tensor.fillInPlace(chance(0.8) ? random.nextInt(4) : 200);
    }

    /** Indices, some of which are valid. */
    private Tensor indices(long[] sizes, DType type) {
        int count = (int) Shape.of(sizes).elements();
        int kind = random.nextInt(4);
        var values = new long[count];
        for (int i = 0; i < count; i++) {
            values[i] =
                    kind == 0 || (kind == 1 && chance(0.7))
                            ? random.nextInt(4)
                            : kind == 2 ? i : NUMBERS[random.nextInt(NUMBERS.length)];
        }
        Tensor tensor = Tensor.copyOf(values, sizes);
        return type == DType.INT64 ? tensor : tensor.to(type);
    }

    /** Arguments as a text for the report. */
    static String describe(@Nullable Object[] arguments) {
        return Arrays.stream(arguments).map(HostileArguments::text).toList().toString();
    }

    private static String text(@Nullable Object value) {
        return switch (value) {
            case null -> "none";
            case long[] longs -> Arrays.toString(longs);
            case double[] doubles -> Arrays.toString(doubles);
            case boolean[] booleans -> Arrays.toString(booleans);
            case Tensor tensor when tensor.dtype() == DType.INT64 && tensor.elements() < 10 ->
                    "int64" + tensor.shape() + Arrays.toString(tensor.toLongArray());
            case List<?> list -> list.stream().map(HostileArguments::text).toList().toString();
            default -> value.toString();
        };
    }
}
