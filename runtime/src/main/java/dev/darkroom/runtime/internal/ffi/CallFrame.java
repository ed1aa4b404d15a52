package dev.darkroom.runtime.internal.ffi;

import static dev.darkroom.runtime.internal.ffi.TaggedValue.AS;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.BOOL;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.BOOL_LIST;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.DEVICE;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.DOUBLE;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.DOUBLE_LIST;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.GENERATOR;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.INT;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.INT_LIST;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.NONE;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.OPTIONAL_TENSOR_LIST;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.SIZE;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.STRING;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.TAG;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.TENSOR;
import static dev.darkroom.runtime.internal.ffi.TaggedValue.TENSOR_LIST;

import dev.darkroom.bindings.DarkroomH;
import dev.darkroom.bindings.dr_error;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The arguments of one operator call, built up in native memory that is used again by later calls.
 * The tensors are held only while the call runs, so a frame that is begun and then dropped (because
 * computing an argument threw) costs nothing but itself.
 */
public final class CallFrame extends Pending {
    private static final int MAX_ARGUMENTS = 64;
    private static final int MAX_TENSORS = 64;
    private static final int MAX_BORROWED = 4;
    private static final long SCRATCH_BYTES = 2048;

    private static final long RESULTS = MAX_ARGUMENTS * TaggedValue.BYTES;
    private static final long COUNT = RESULTS + Results.MAX * TaggedValue.BYTES;
    private static final long SCRATCH = COUNT + 8;
    private static final long ERROR = SCRATCH + SCRATCH_BYTES;
    private static final long FRAME_BYTES = ERROR + dr_error.sizeof();

    /**
     * Frames that wait for their next call: 64 slots, about one per processor, a cache line apart
     * so that threads don't slow each other down.
     */
    private static final AtomicReferenceArray<@Nullable CallFrame> POOL =
            new AtomicReferenceArray<>(64 << 4);

    private final MemorySegment memory = Arena.ofAuto().allocate(FRAME_BYTES, 16);
    private final Results results =
            new Results(
                    memory.asSlice(RESULTS, Results.MAX * TaggedValue.BYTES),
                    memory.asSlice(COUNT, 4));
    private final MemorySegment error = memory.asSlice(ERROR, dr_error.sizeof());
    private Handle[] held = new Handle[MAX_TENSORS];

    /** The argument that each of {@link #held} is of. */
    private byte[] heldBy = new byte[MAX_TENSORS];

    private int heldCount;

    /** How many of them are held now. */
    private int holding;

    /** Those that the call changes, if it is one that does. */
    private Set<Handle> changed = Set.of();

    /** Those of them that it has for itself now. */
    private final ArrayList<Handle> seized = new ArrayList<>(1);

    /** Whether one of them lies in memory of the caller's. */
    private boolean borrows;

    private int arguments;
    private long scratch;
    private @Nullable Arena overflow;
    private @Nullable Operator operator;

    private CallFrame() {}

    private static int slot() {
        return ((int) Thread.currentThread().threadId() & 63) << 4;
    }

    static CallFrame begin(Operator operator) {
        CallFrame frame = POOL.getAndSet(slot(), null);
        if (frame == null) {
            frame = new CallFrame();
        }
        frame.operator = operator;
        frame.arguments = 0;
        frame.heldCount = 0;
        frame.borrows = false;
        frame.scratch = SCRATCH;
        frame.results.begin();
        return frame;
    }

    /** Adds a tensor, or none. */
    public CallFrame arg(@Nullable TensorHandle tensor) {
        if (tensor == null) {
            return none();
        }
        rememberTensor(tensor);
        return put(TENSOR, 0, tensor.address);
    }

    /** Adds none, for an optional argument. */
    public CallFrame none() {
        return put(NONE, 0, 0);
    }

    /** Adds an integer, a scalar, a dtype's code, a layout or a memory format. */
    public CallFrame arg(long value) {
        return put(INT, 0, value);
    }

    /** Adds a real number or a scalar. */
    public CallFrame arg(double value) {
        return put(DOUBLE, 0, Double.doubleToRawLongBits(value));
    }

    /** Adds a boolean, or a scalar. */
    public CallFrame arg(boolean value) {
        return put(BOOL, 0, value ? 1 : 0);
    }

    /** Adds a string. */
    public CallFrame arg(String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        MemorySegment to = reserve(bytes.length);
        MemorySegment.copy(bytes, 0, to, ValueLayout.JAVA_BYTE, 0, bytes.length);
        return put(STRING, bytes.length, to.address());
    }

    /** Adds a device, in the shim's packed form. */
    public CallFrame device(int code) {
        return put(DEVICE, 0, code);
    }

    /** Adds a generator, or none for the default one. */
    public CallFrame generator(@Nullable ObjectHandle generator) {
        if (generator == null) {
            return none();
        }
        remember(generator);
        return put(GENERATOR, 0, generator.address);
    }

    /** Adds a list of integers. */
    public CallFrame ints(long... values) {
        MemorySegment to = reserve(values.length * 8L);
        MemorySegment.copy(values, 0, to, ValueLayout.JAVA_LONG, 0, values.length);
        return put(INT_LIST, values.length, to.address());
    }

    /** Adds a list of real numbers. */
    public CallFrame doubles(double... values) {
        MemorySegment to = reserve(values.length * 8L);
        MemorySegment.copy(values, 0, to, ValueLayout.JAVA_DOUBLE, 0, values.length);
        return put(DOUBLE_LIST, values.length, to.address());
    }

    /** Adds a list of booleans. */
    public CallFrame bools(boolean... values) {
        MemorySegment to = reserve(values.length);
        for (int i = 0; i < values.length; i++) {
            to.set(ValueLayout.JAVA_BYTE, i, (byte) (values[i] ? 1 : 0));
        }
        return put(BOOL_LIST, values.length, to.address());
    }

    /** Adds a list of tensors. */
    public CallFrame tensors(List<TensorHandle> tensors) {
        return put(TENSOR_LIST, tensors.size(), addresses(tensors).address());
    }

    /** Adds a list of tensors, some of which may be missing. */
    public CallFrame optionalTensors(List<@Nullable TensorHandle> tensors) {
        return put(OPTIONAL_TENSOR_LIST, tensors.size(), addresses(tensors).address());
    }

    private MemorySegment addresses(List<? extends @Nullable TensorHandle> tensors) {
        MemorySegment to = reserve(tensors.size() * 8L);
        for (int i = 0; i < tensors.size(); i++) {
            TensorHandle tensor = tensors.get(i);
            if (tensor != null) {
                rememberTensor(tensor);
            }
            to.setAtIndex(ValueLayout.JAVA_LONG, i, tensor == null ? 0 : tensor.address);
        }
        return to;
    }

    private CallFrame put(int tag, int size, long as) {
        if (arguments == MAX_ARGUMENTS) {
            throw new IllegalArgumentException(
                    operator + ": more than " + MAX_ARGUMENTS + " arguments");
        }
        long at = arguments++ * TaggedValue.BYTES;
        memory.set(ValueLayout.JAVA_INT, at + TAG, tag);
        memory.set(ValueLayout.JAVA_INT, at + SIZE, size);
        memory.set(ValueLayout.JAVA_LONG, at + AS, as);
        return this;
    }

    private void rememberTensor(TensorHandle tensor) {
        borrows |= tensor.borrowed() != null;
        remember(tensor);
    }

    private void remember(Handle handle) {
        if (heldCount == held.length) {
            held = Arrays.copyOf(held, 2 * held.length);
            heldBy = Arrays.copyOf(heldBy, held.length);
        }
        heldBy[heldCount] = (byte) arguments;
        held[heldCount++] = handle;
    }

    /** Reserves room for a list's elements, in the frame or, for a long list, beside it. */
    private MemorySegment reserve(long bytes) {
        long aligned = bytes + 7 & ~7L;
        if (scratch + aligned <= ERROR) {
            MemorySegment room = memory.asSlice(scratch, bytes);
            scratch += aligned;
            return room;
        }
        if (overflow == null) {
            overflow = Arena.ofAuto();
        }
        return overflow.allocate(Math.max(bytes, 1), 8);
    }

    // ---- Calls whose results are the frame's until the caller says done ----

    /** Calls an operator that returns one tensor. */
    public TensorHandle tensor(NativeMode mode) {
        run(mode);
        TensorHandle result = results.tensor(0);
        if (result == null) {
            throw new IllegalStateException(operator + " returned no tensor");
        }
        findBorrowed();
        return result;
    }

    /**
     * Calls an operator that returns several tensors, one by one or as a list.
     *
     * @return null for those that the operator left undefined
     */
    public @Nullable TensorHandle[] tensors(NativeMode mode) {
        run(mode);
        @Nullable TensorHandle[] tensors;
        if (results.count() == 1 && results.isTensorList(0)) {
            tensors = results.tensorList(0);
        } else {
            tensors = new @Nullable TensorHandle[results.count()];
            for (int i = 0; i < tensors.length; i++) {
                tensors[i] = results.tensor(i);
            }
        }
        findBorrowed();
        return tensors;
    }

    /**
     * Calls any operator.
     *
     * @return its results: {@link TensorHandle} (of an argument that the operator changed and
     *     returned, its own), {@link Long}, {@link Double}, {@link Boolean}, {@link String}, arrays
     *     of these, or null for none
     */
    public @Nullable Object[] values(NativeMode mode) {
        run(mode);
        var values = new @Nullable Object[results.count()];
        for (int i = 0; i < values.length; i++) {
            values[i] =
                    results.isTensor(i)
                            ? anyTensor(i)
                            : results.isTensorList(i) ? results.tensorList(i) : results.plain(i);
        }
        findBorrowed();
        return values;
    }

    /** Gives the frame back, and its results to the caller. */
    public void done() {
        Arrays.fill(held, 0, heldCount, null);
        results.clear();
        operator = null;
        overflow = null;
        end();
        POOL.setRelease(slot(), this);
    }

    /**
     * Frees and closes all results, after an exception anywhere between the call and {@link #done},
     * such as a full heap. The frame is left to the collector.
     */
    public void discard() {
        end();
        undo();
    }

    @Override
    void undo() {
        letGo();
        results.discard();
    }

    // ---- Calls that are done when they return ----

    /** Calls an operator for its effect; new references in its results are dropped. */
    public void invoke(NativeMode mode) {
        run(mode);
        results.discard();
        done();
    }

    /** Calls an operator that returns a boolean. */
    public boolean bool(NativeMode mode) {
        return integer(mode) != 0;
    }

    /** Calls an operator that returns a scalar. */
    public double real(NativeMode mode) {
        run(mode);
        double result = results.real(0);
        done();
        return result;
    }

    /** Calls an operator that returns an integral scalar, which a double may not hold. */
    public long integer(NativeMode mode) {
        run(mode);
        long result = results.integer(0);
        done();
        return result;
    }

    private void run(NativeMode mode) {
        Operator called = Objects.requireNonNull(operator);
        MemorySegment schema = called.schema();
        if (mode.stream != null) {
            remember(mode.stream);
        }
        long seizes = called.seizes(mode);
        begin();
        try {
            int status = seizes == 0 ? held(schema, mode) : seized(called, schema, mode, seizes);
            LibtorchWarnings.log();
            if (status != 0) {
                throw Errors.exception(error, called.toString());
            }
        } catch (RuntimeException | Error e) {
            discard();
            throw e;
        }
    }

    /** Calls while all handles are held. */
    private int held(MemorySegment schema, NativeMode mode) {
        try {
            for (; holding < heldCount; holding++) {
                held[holding].hold();
            }
            return call(schema, mode);
        } finally {
            letGo();
        }
    }

    /** Calls with the handles that are changed for this call alone, while the others are held. */
    private int seized(Operator called, MemorySegment schema, NativeMode mode, long arguments) {
        changed = Collections.newSetFromMap(new IdentityHashMap<>());
        for (int i = 0; i < heldCount; i++) {
            if ((arguments >>> heldBy[i] & 1) != 0) {
                changed.add(held[i]);
            }
        }
        seized.ensureCapacity(changed.size());
        try {
            for (Handle handle : changed) {
                handle.seize();
                seized.add(handle);
                if (called.reshapes() && handle instanceof TensorHandle tensor) {
                    tensor.revokeSegments();
                }
            }
            for (; holding < heldCount; holding++) {
                if (!changed.contains(held[holding])) {
                    held[holding].hold();
                }
            }
            int status = call(schema, mode);
            if (called.changes()) {
                TensorHandle.metadataChanged();
            }
            return status;
        } finally {
            letGo();
        }
    }

    /** Lets go of the handles that are held or seized. Allocates nothing. */
    private void letGo() {
        while (holding > 0) {
            Handle handle = held[--holding];
            if (!changed.contains(handle)) {
                handle.release();
            }
        }
        while (!seized.isEmpty()) {
            seized.removeLast().unseize();
        }
        changed = Set.of();
    }

    private int call(MemorySegment schema, NativeMode mode) {
        return borrows
                ? callKeeping(schema, mode)
                : DarkroomH.dr_call(
                        schema,
                        mode.segment,
                        memory,
                        arguments,
                        results.values,
                        Results.MAX,
                        results.count,
                        error);
    }

    /** Calls with the memory that tensors borrow: its arenas can't be closed during the call. */
    private int callKeeping(MemorySegment schema, NativeMode mode) {
        List<MemorySegment> kept = new ArrayList<>(MAX_BORROWED);
        for (int i = 0; i < heldCount; i++) {
            MemorySegment borrowed = borrowed(held[i]);
            if (borrowed != null && kept.stream().noneMatch(sameScope(borrowed))) {
                ((TensorHandle) held[i]).requireMemory();
                kept.add(borrowed);
            }
        }
        if (kept.size() > MAX_BORROWED) {
            throw new IllegalArgumentException(
                    operator
                            + ": the tensors lie in borrowed memory of "
                            + kept.size()
                            + " arenas; at most "
                            + MAX_BORROWED
                            + " may be in one call, so copy some of them");
        }
        while (kept.size() < MAX_BORROWED) {
            kept.add(MemorySegment.NULL);
        }
        try {
            return DarkroomH.dr_call_keeping(
                    schema,
                    mode.segment,
                    memory,
                    arguments,
                    results.values,
                    Results.MAX,
                    results.count,
                    kept.get(0),
                    kept.get(1),
                    kept.get(2),
                    kept.get(3),
                    error);
        } catch (AssertionError e) {
            throw Errors.ofArgument(e);
        }
    }

    private static @Nullable MemorySegment borrowed(Handle handle) {
        return handle instanceof TensorHandle tensor ? tensor.borrowed() : null;
    }

    private static java.util.function.Predicate<MemorySegment> sameScope(MemorySegment memory) {
        return other -> other.scope().equals(memory.scope());
    }

    /** Finds out which results lie in borrowed memory. */
    private void findBorrowed() {
        for (int taken = 0; borrows && taken < results.taken(); taken++) {
            TensorHandle result = results.taken(taken);
            long storage = Native.storage(result).storage();
            for (int i = 0; i < heldCount; i++) {
                MemorySegment borrowed = borrowed(held[i]);
                if (borrowed != null && borrowed.address() == storage) {
                    result.borrowing(borrowed);
                    break;
                }
            }
        }
    }

    /**
     * Takes over a tensor that any operator returned: the argument itself, where the operator
     * returns that.
     */
    private @Nullable TensorHandle anyTensor(int index) {
        if (Objects.requireNonNull(operator).changes()) {
            for (int i = 0; i < heldCount; i++) {
                if (held[i].address == results.payload(index)
                        && held[i] instanceof TensorHandle argument) {
                    results.drop(index);
                    return argument;
                }
            }
        }
        return results.tensor(index);
    }
}
