package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.bindings.DarkroomH;
import dev.darkroom.bindings.dr_error;
import dev.darkroom.runtime.libtorch.LibtorchException;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;

/** An ATen operator, looked up once, when it is first called. */
public final class Operator {
    private static final ConcurrentHashMap<String, Operator> BY_NAME = new ConcurrentHashMap<>();

    private final String name;
    private final String overload;
    private final boolean any;
    private volatile @Nullable MemorySegment schema;

    /** What {@code dr_op_mutates} says; read after {@link #schema}. */
    private long mutates;

    /** Why no arguments from outside are safe for it; null if they are. */
    private @Nullable String refusal;

    private Operator(String name, String overload, boolean any) {
        this.name = name;
        this.overload = overload;
        this.any = any;
    }

    /**
     * Makes an operator that Darkroom calls itself. In-place forms among these keep shapes and
     * types.
     *
     * @param name ATen's name without a namespace, such as {@code add}
     * @param overload such as {@code Tensor}, or empty
     */
    public static Operator of(String name, String overload) {
        return new Operator(name, overload, false);
    }

    /**
     * Finds any operator, which may change the shape of its arguments.
     *
     * @throws LibtorchException.NoSuchOperator if this libtorch has none
     */
    public static Operator find(String name, String overload) {
        return BY_NAME.computeIfAbsent(
                name + "." + overload,
                key -> {
                    var operator = new Operator(name, overload, true);
                    operator.schema();
                    operator.refusal = OperatorPolicy.refusal(operator.qualified());
                    return operator;
                });
    }

    /**
     * Returns this operator, if it may be called with any arguments.
     *
     * @throws UnsupportedOperationException if it may not; the message gives the reason
     */
    public Operator forAnyArguments() {
        if (refusal != null) {
            throw new UnsupportedOperationException(refusal);
        }
        return this;
    }

    /** Returns whether the loaded libtorch has it, or the shim. */
    public boolean exists() {
        try {
            schema();
            return true;
        } catch (LibtorchException.NoSuchOperator e) {
            return false;
        }
    }

    /** Begins a call. */
    public CallFrame call() {
        return CallFrame.begin(this);
    }

    /** Returns the names of all operators, sorted, such as {@code aten::add.Tensor}. */
    public static List<String> names() {
        Libtorch.load();
        return Native.text(DarkroomH::dr_op_names).lines().toList();
    }

    /**
     * Returns the schema in PyTorch's notation, such as {@code aten::relu(Tensor self) -> Tensor}.
     */
    public String describe() {
        return Native.text((to, capacity) -> DarkroomH.dr_op_schema(schema(), to, capacity));
    }

    /** Returns whether a call may change the shape, type or memory of a tensor that exists. */
    boolean reshapes() {
        return any && mutates < 0;
    }

    /**
     * Returns whether a call may change a tensor that exists in any way that Darkroom does not
     * know.
     */
    boolean changes() {
        return any && mutates != 0;
    }

    /**
     * Returns the arguments, bit by bit, that a call must have for itself: those that it changes.
     * Operators that keep shapes and types, as Darkroom's own do, only where the change is
     * recorded: that replaces the tensor's history, which others may be reading.
     */
    long seizes(NativeMode mode) {
        return any || mode.grad ? mutates & Long.MAX_VALUE : 0;
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
            mutates = DarkroomH.dr_op_mutates(result);
            schema = result;
            return result;
        }
    }

    private String qualified() {
        return name.contains("::") ? toString() : "aten::" + this;
    }

    /** Returns a text like {@code add.Tensor}. */
    @Override
    public String toString() {
        return overload.isEmpty() ? name : name + "." + overload;
    }
}
