package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.bindings.DarkroomH;
import dev.darkroom.bindings.dr_error;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.ConcurrentHashMap;

/** An ATen operator, looked up once, when it is first called. */
public final class Operator {
    private static final ConcurrentHashMap<String, Operator> BY_NAME = new ConcurrentHashMap<>();

    private final String name;
    private final String overload;
    private volatile @Nullable MemorySegment schema;
    private volatile boolean reshapes;

    private Operator(String name, String overload) {
        this.name = name;
        this.overload = overload;
    }

    /**
     * An operator that Darkroom calls itself. In-place forms among these keep shapes and types.
     *
     * @param name ATen's name without a namespace, such as {@code add}
     * @param overload such as {@code Tensor}, or empty
     */
    public static Operator of(String name, String overload) {
        return new Operator(name, overload);
    }

    /**
     * Any operator, which may change the shape of its arguments.
     *
     * @throws dev.darkroom.runtime.LibtorchException.NoSuchOperator if this libtorch has none
     */
    public static Operator find(String name, String overload) {
        return BY_NAME.computeIfAbsent(
                name + "." + overload,
                key -> {
                    var operator = new Operator(name, overload);
                    operator.reshapes = DarkroomH.dr_op_mutates(operator.schema()) != 0;
                    return operator;
                });
    }

    /** Begins a call. */
    public CallFrame call() {
        return CallFrame.begin(this);
    }

    /** The schema in PyTorch's notation, such as {@code aten::relu(Tensor self) -> Tensor}. */
    public String describe() {
        return Native.text((to, capacity) -> DarkroomH.dr_op_schema(schema(), to, capacity));
    }

    /** Whether a call may change the shape or type of a tensor that exists. */
    boolean reshapes() {
        return reshapes;
    }

    MemorySegment schema() {
        MemorySegment known = schema;
        return known != null ? known : lookUp();
    }

    private MemorySegment lookUp() {
        Libtorch.load();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment found = arena.allocate(ValueLayout.ADDRESS);
            MemorySegment error = dr_error.allocate(arena);
            int status =
                    DarkroomH.dr_op_find(
                            arena.allocateFrom(name), arena.allocateFrom(overload), found, error);
            Errors.check(status, error, toString());
            MemorySegment result = found.get(ValueLayout.ADDRESS, 0);
            schema = result;
            return result;
        }
    }

    /** Like {@code add.Tensor}. */
    @Override
    public String toString() {
        return overload.isEmpty() ? name : name + "." + overload;
    }
}
