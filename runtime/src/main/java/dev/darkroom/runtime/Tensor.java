package dev.darkroom.runtime;

import static dev.darkroom.runtime.Checks.requireBroadcast;

import dev.darkroom.runtime.internal.ffi.CallFrame;
import dev.darkroom.runtime.internal.ffi.Native;
import dev.darkroom.runtime.internal.ffi.Operator;
import dev.darkroom.runtime.internal.ffi.TensorHandle;
import dev.darkroom.runtime.libtorch.LibtorchException;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/**
 * A libtorch tensor: elements of one {@link DType}, a {@link Shape}, on a {@link Device}.
 *
 * <p>A tensor belongs to the {@link TensorScope} that is open where it is made and is closed with
 * it; where none is open, whoever made it closes it. Using a closed tensor throws {@link
 * IllegalStateException}. Methods return new tensors, which may share memory with this one where
 * PyTorch's do ({@link #reshape}, {@link #narrow}, {@link #transpose} …); methods whose name ends
 * in {@code InPlace} change this tensor and return it.
 *
 * <p>Arguments are checked before libtorch is called, and the message gives the shapes; what
 * libtorch refuses itself comes back as {@link LibtorchException}. Operators without a method here
 * can be reached through {@link Aten}; those that are functions rather than methods are in {@link
 * Ops}.
 */
public final class Tensor implements AutoCloseable {
    final TensorHandle handle;
    @Nullable TensorScope scope;

    /** The last one that was asked for. */
    private @Nullable Shape shape;

    private Tensor(TensorHandle handle) {
        this.handle = handle;
    }

    // ---- How operators are called ----

    /** A new tensor in the scope that is open. If that fails, the handle is closed. */
    static Tensor adopt(TensorHandle handle) {
        try {
            return adopt(handle, ThreadState.current());
        } catch (RuntimeException | Error e) {
            handle.abandon();
            throw e;
        }
    }

    private static Tensor adopt(TensorHandle handle, ThreadState state) {
        var tensor = new Tensor(handle);
        TensorScope open = state.scope();
        if (open != null) {
            open.add(tensor);
        }
        return tensor;
    }

    /** New tensors in the scope that is open, all or none; null for a missing one. */
    static List<@Nullable Tensor> adoptAll(@Nullable TensorHandle[] handles) {
        try {
            List<@Nullable Tensor> tensors = new ArrayList<>(handles.length);
            for (TensorHandle handle : handles) {
                tensors.add(handle == null ? null : adopt(handle));
            }
            return Collections.unmodifiableList(tensors);
        } catch (RuntimeException | Error e) {
            abandon(handles);
            throw e;
        }
    }

    private static void abandon(@Nullable TensorHandle[] handles) {
        for (TensorHandle handle : handles) {
            if (handle != null) {
                handle.abandon();
            }
        }
    }

    static Tensor run(CallFrame call) {
        Tensor tensor;
        try {
            ThreadState state = ThreadState.current();
            tensor = adopt(call.tensor(state.mode().nativeMode), state);
        } catch (RuntimeException | Error e) {
            call.discard();
            throw e;
        }
        call.done();
        return tensor;
    }

    static List<Tensor> runAll(CallFrame call) {
        List<Tensor> tensors = new ArrayList<>();
        try {
            ThreadState state = ThreadState.current();
            for (TensorHandle handle : call.tensors(state.mode().nativeMode)) {
                tensors.add(adopt(Objects.requireNonNull(handle, "an undefined result"), state));
            }
        } catch (RuntimeException | Error e) {
            call.discard();
            throw e;
        }
        call.done();
        return Collections.unmodifiableList(tensors);
    }

    static void invoke(CallFrame call) {
        call.invoke(ThreadState.current().mode().nativeMode);
    }

    private Tensor inPlace(CallFrame call) {
        invoke(call);
        return this;
    }

    static List<TensorHandle> handles(List<Tensor> tensors) {
        List<TensorHandle> handles = new ArrayList<>(tensors.size());
        for (Tensor tensor : tensors) {
            handles.add(tensor.handle);
        }
        return handles;
    }

    static @Nullable TensorHandle handle(@Nullable Tensor tensor) {
        return tensor == null ? null : tensor.handle;
    }

    // ---- Making tensors ----

    private static final Operator EMPTY = Operator.of("empty", "memory_format");
    private static final Operator FULL = Operator.of("full", "");
    private static final Operator ARANGE = Operator.of("arange", "start_step");
    private static final Operator LINSPACE = Operator.of("linspace", "");
    private static final Operator EYE = Operator.of("eye", "");
    private static final Operator RANDN = Operator.of("randn", "generator");
    private static final Operator RAND = Operator.of("rand", "generator");
    private static final Operator RANDINT = Operator.of("randint", "low_generator");
    private static final Operator RANDPERM = Operator.of("randperm", "generator");

    /** Ends a factory's arguments: dtype, layout (strided), device, pinned memory (no). */
    private static CallFrame options(CallFrame call, DType dtype, Device device) {
        return call.arg(dtype.code()).none().device(device.code()).none();
    }

    /** A tensor whose elements are whatever was in memory. */
    public static Tensor empty(Shape shape, DType dtype, Device device) {
        return run(options(EMPTY.call().ints(shape.toArray()), dtype, device));
    }

    /** A tensor of zeros. */
    public static Tensor zeros(Shape shape, DType dtype, Device device) {
        return full(shape, 0, dtype, device);
    }

    /** A tensor of zeros on the CPU. */
    public static Tensor zeros(DType dtype, long... shape) {
        return zeros(Shape.of(shape), dtype, Device.CPU);
    }

    /** A tensor of ones. */
    public static Tensor ones(Shape shape, DType dtype, Device device) {
        return full(shape, 1, dtype, device);
    }

    /** A tensor of ones on the CPU. */
    public static Tensor ones(DType dtype, long... shape) {
        return ones(Shape.of(shape), dtype, Device.CPU);
    }

    /** A tensor with all elements equal. */
    public static Tensor full(Shape shape, double value, DType dtype, Device device) {
        return run(options(FULL.call().ints(shape.toArray()).arg(value), dtype, device));
    }

    /** A tensor without dimensions on the CPU. */
    public static Tensor scalar(double value, DType dtype) {
        return full(Shape.SCALAR, value, dtype, Device.CPU);
    }

    /**
     * The numbers from {@code start} up to, not including, {@code end}.
     *
     * @return {@code [ceil((end − start) / step)]}
     * @throws IllegalArgumentException if the step is not finite, or 0 in this type
     */
    public static Tensor arange(double start, double end, double step, DType dtype, Device device) {
        double taken = dtype.isFloatingPoint() ? step : (long) step;
        if (taken == 0 || !Double.isFinite(step)) {
            throw new IllegalArgumentException(
                    "arange: " + step + " is no step between numbers of type " + dtype);
        }
        return run(options(ARANGE.call().arg(start).arg(end).arg(step), dtype, device));
    }

    /**
     * The integers 0 … end − 1 on the CPU.
     *
     * @return int64 {@code [end]}
     */
    public static Tensor arange(long end) {
        return run(options(ARANGE.call().arg(0L).arg(end).arg(1L), DType.INT64, Device.CPU));
    }

    /** {@code steps} equally spaced numbers, both ends included. */
    public static Tensor linspace(double start, double end, long steps, DType dtype) {
        return run(options(LINSPACE.call().arg(start).arg(end).arg(steps), dtype, Device.CPU));
    }

    /**
     * The identity matrix.
     *
     * @return {@code [n,n]}
     */
    public static Tensor eye(long n, DType dtype, Device device) {
        return run(options(EYE.call().arg(n), dtype, device));
    }

    /**
     * Draws from the standard normal distribution, as PyTorch's {@code randn} does.
     *
     * @param generator null for libtorch's default generator of the device
     */
    public static Tensor randn(
            Shape shape, @Nullable Generator generator, DType dtype, Device device) {
        return run(options(drawing(RANDN, shape, generator), dtype, device));
    }

    /** Draws float32 from the standard normal distribution on the CPU. */
    public static Tensor randn(Generator generator, long... shape) {
        return randn(Shape.of(shape), generator, DType.FLOAT32, Device.CPU);
    }

    /** Draws uniformly from [0, 1). */
    public static Tensor rand(
            Shape shape, @Nullable Generator generator, DType dtype, Device device) {
        return run(options(drawing(RAND, shape, generator), dtype, device));
    }

    /** Draws integers uniformly from {@code low} to {@code high} − 1. */
    public static Tensor randint(
            long low, long high, Shape shape, @Nullable Generator generator, DType dtype) {
        CallFrame call = RANDINT.call().arg(low).arg(high).ints(shape.toArray());
        return run(options(call.generator(handle(generator)), dtype, Device.CPU));
    }

    /**
     * A random order of 0 … n − 1.
     *
     * @return int64 {@code [n]}
     */
    public static Tensor randperm(long n, @Nullable Generator generator) {
        CallFrame call = RANDPERM.call().arg(n).generator(handle(generator));
        return run(options(call, DType.INT64, Device.CPU));
    }

    private static CallFrame drawing(
            Operator operator, Shape shape, @Nullable Generator generator) {
        return operator.call().ints(shape.toArray()).generator(handle(generator));
    }

    private static dev.darkroom.runtime.internal.ffi.@Nullable ObjectHandle handle(
            @Nullable Generator generator) {
        return generator == null ? null : generator.handle;
    }

    // ---- Tensors from Java's memory ----

    /**
     * A float32 copy of an array on the CPU.
     *
     * @throws IllegalArgumentException if sizes differ
     */
    public static Tensor copyOf(float[] values, long... shape) {
        return copyOf(MemorySegment.ofArray(values), DType.FLOAT32, Shape.of(shape));
    }

    /**
     * A float64 copy of an array on the CPU.
     *
     * @throws IllegalArgumentException if sizes differ
     */
    public static Tensor copyOf(double[] values, long... shape) {
        return copyOf(MemorySegment.ofArray(values), DType.FLOAT64, Shape.of(shape));
    }

    /**
     * An int64 copy of an array on the CPU.
     *
     * @throws IllegalArgumentException if sizes differ
     */
    public static Tensor copyOf(long[] values, long... shape) {
        return copyOf(MemorySegment.ofArray(values), DType.INT64, Shape.of(shape));
    }

    /**
     * An int32 copy of an array on the CPU.
     *
     * @throws IllegalArgumentException if sizes differ
     */
    public static Tensor copyOf(int[] values, long... shape) {
        return copyOf(MemorySegment.ofArray(values), DType.INT32, Shape.of(shape));
    }

    /**
     * A uint8 copy of an array on the CPU.
     *
     * @throws IllegalArgumentException if sizes differ
     */
    public static Tensor copyOf(byte[] values, long... shape) {
        return copyOf(MemorySegment.ofArray(values), DType.UINT8, Shape.of(shape));
    }

    /**
     * A bool copy of an array on the CPU.
     *
     * @throws IllegalArgumentException if sizes differ
     */
    public static Tensor copyOf(boolean[] values, long... shape) {
        var bytes = new byte[values.length];
        for (int i = 0; i < values.length; i++) {
            bytes[i] = (byte) (values[i] ? 1 : 0);
        }
        return copyOf(MemorySegment.ofArray(bytes), DType.BOOL, Shape.of(shape));
    }

    /**
     * A copy of memory on the CPU.
     *
     * @param memory elements in row-major order, on the heap or not
     * @throws IllegalArgumentException if the memory has not exactly the size of the shape
     */
    public static Tensor copyOf(MemorySegment memory, DType dtype, Shape shape) {
        Checks.requireBytes(memory.byteSize(), dtype, shape);
        Tensor tensor = empty(shape, dtype, Device.CPU);
        return Native.access(
                tensor.handle,
                own -> {
                    own.copyFrom(memory);
                    return tensor;
                });
    }

    /**
     * A tensor over memory that Java owns: nothing is copied, a write on one side is seen on the
     * other. This tensor and its views keep the segment reachable; using one when the arena is
     * closed is an {@link IllegalStateException}, and so is closing the arena during an operator
     * call. What nothing checks, so that the caller must keep the arena open for it: a backward
     * pass through operators that were recorded on this tensor, a gradient that {@link #setGrad}
     * made of it, and what {@link #toDlpack} gave to others.
     *
     * @param memory native memory, row-major, aligned for the type
     * @throws IllegalArgumentException if the memory is on the heap, misaligned, read-only or has
     *     not exactly the size of the shape
     * @throws IllegalStateException if its arena is closed, or is confined to another thread
     */
    public static Tensor borrow(MemorySegment memory, DType dtype, Shape shape) {
        Checks.requireBytes(memory.byteSize(), dtype, shape);
        if (!memory.isNative() || memory.isReadOnly()) {
            throw new IllegalArgumentException(
                    "a tensor can only borrow writable native memory; use copyOf for an array");
        }
        if (memory.address() % dtype.bytes() != 0) {
            throw new IllegalArgumentException(
                    "memory at " + memory.address() + " is not aligned for " + dtype);
        }
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException("the memory's arena is closed");
        }
        if (!memory.isAccessibleBy(Thread.currentThread())) {
            throw new IllegalStateException(
                    "the memory's arena is confined to another thread; use a shared one");
        }
        return adopt(
                Native.fromMemory(memory, shape.toArray(), dtype.code(), Device.CPU.code()));
    }

    /**
     * The tensor's memory, shared: a write on one side is seen on the other. Valid, for any thread,
     * until this tensor is closed or an operator called through {@link Aten} gives it another
     * shape: an access after that is an {@link IllegalStateException}. The segment of a {@linkplain
     * #borrow borrowed} tensor is valid as long as the memory that was borrowed.
     *
     * @return the elements in row-major order
     * @throws IllegalStateException if the tensor is not contiguous or not on the CPU
     */
    public MemorySegment segment() {
        return Native.segment(handle);
    }

    /**
     * A part of the tensor's memory for reading and writing files, shared like {@link #segment}.
     *
     * @param offset of the part, in bytes
     * @param size of the part, in bytes
     * @return a direct buffer of native byte order
     * @throws IllegalStateException if the tensor is not contiguous or not on the CPU
     * @throws IndexOutOfBoundsException if the part is not inside the tensor
     */
    public ByteBuffer buffer(long offset, int size) {
        return segment().asSlice(offset, size).asByteBuffer().order(ByteOrder.nativeOrder());
    }

    /** The elements as float32, row-major, from any type and device. */
    public float[] toFloatArray() {
        return values(DType.FLOAT32, segment -> segment.toArray(ValueLayout.JAVA_FLOAT));
    }

    /** The elements as float64, row-major, from any type and device. */
    public double[] toDoubleArray() {
        return values(DType.FLOAT64, segment -> segment.toArray(ValueLayout.JAVA_DOUBLE));
    }

    /** The elements as int64, row-major, from any type and device. */
    public long[] toLongArray() {
        return values(DType.INT64, segment -> segment.toArray(ValueLayout.JAVA_LONG));
    }

    /** The elements as int32, row-major, from any type and device. */
    public int[] toIntArray() {
        return values(DType.INT32, segment -> segment.toArray(ValueLayout.JAVA_INT));
    }

    /** The elements as uint8, row-major, from any type and device. */
    public byte[] toByteArray() {
        return values(DType.UINT8, segment -> segment.toArray(ValueLayout.JAVA_BYTE));
    }

    /** The elements as booleans (not zero), row-major, from any type and device. */
    public boolean[] toBooleanArray() {
        byte[] bytes = values(DType.BOOL, segment -> segment.toArray(ValueLayout.JAVA_BYTE));
        var values = new boolean[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            values[i] = bytes[i] != 0;
        }
        return values;
    }

    private <T> T values(DType dtype, java.util.function.Function<MemorySegment, T> read) {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            Tensor contiguous = detach().to(Device.CPU).to(dtype).contiguous();
            return Native.access(contiguous.handle, read);
        }
    }

    private static final Operator ITEM = Operator.of("item", "");

    /**
     * The value of a tensor with one element.
     *
     * @throws IllegalStateException if it has none or several
     */
    public double item() {
        return itemCall().real(ThreadState.current().mode().nativeMode);
    }

    /**
     * The value of an integral tensor with one element.
     *
     * @throws IllegalStateException if it has none or several
     */
    public long itemLong() {
        return itemCall().integer(ThreadState.current().mode().nativeMode);
    }

    private CallFrame itemCall() {
        if (elements() != 1) {
            throw new IllegalStateException(
                    "only one element can be an item, not shape " + shape());
        }
        return ITEM.call().arg(handle);
    }

    /**
     * This tensor in DLPack's form, sharing its memory.
     *
     * @return the address of a {@code DLManagedTensor}; pass it to a library that takes it over, or
     *     to {@link #fromDlpack}
     */
    public long toDlpack() {
        return Native.toDlpack(handle);
    }

    /**
     * Takes over a tensor in DLPack's form, sharing its memory.
     *
     * @param managed the address of a {@code DLManagedTensor} that nobody else has taken over
     */
    public static Tensor fromDlpack(long managed) {
        return adopt(Native.fromDlpack(managed));
    }

    /** Frees a {@code DLManagedTensor} that nobody has taken over. */
    public static void freeDlpack(long managed) {
        Native.freeDlpack(managed);
    }

    // ---- Life ----

    /** Whether {@link #close} was called, or the scope that owned this tensor is closed. */
    public boolean isClosed() {
        return handle.isClosed();
    }

    void requireOpen() {
        handle.info();
    }

    /**
     * Frees this reference to the tensor; its memory goes with the last tensor that shares it.
     *
     * @throws IllegalStateException if it is closed already, or in use by a call on another thread
     */
    @Override
    public void close() {
        handle.close();
    }

    /** Another reference to the same tensor, with a life of its own. */
    public Tensor alias() {
        return adopt(Native.retain(handle));
    }

    // ---- What it is ----

    /** The type of the elements. */
    public DType dtype() {
        return DType.ofCode(handle.info().dtype());
    }

    /** Where it lives. */
    public Device device() {
        return Device.ofCode(handle.info().device());
    }

    /** The sizes of its dimensions. */
    public Shape shape() {
        long[] sizes = handle.info().sizes();
        Shape known = shape;
        if (known == null || !known.isOver(sizes)) {
            known = Shape.over(sizes);
            shape = known;
        }
        return known;
    }

    /** The size of a dimension, from 0, or from −1 counted from the end. */
    public long size(int dim) {
        return shape().size(dim);
    }

    /** Number of dimensions. */
    public int rank() {
        return shape().rank();
    }

    /** Number of elements. */
    public long elements() {
        return shape().elements();
    }

    /** The steps between neighbours in each dimension, in elements. */
    public long[] strides() {
        return handle.info().strides().clone();
    }

    /** Whether the elements lie in row-major order without gaps. */
    public boolean isContiguous() {
        var info = handle.info();
        long[] sizes = info.sizes();
        long expected = 1;
        for (int i = sizes.length - 1; i >= 0; i--) {
            if (sizes[i] != 1 && info.strides()[i] != expected && elements() != 0) {
                return false;
            }
            expected *= sizes[i];
        }
        return true;
    }

    /** The address of the first element. */
    public long dataPointer() {
        return Native.storage(handle).data();
    }

    /** The address of the memory that this tensor may share with others. */
    public long storagePointer() {
        return Native.storage(handle).storage();
    }

    /** Type and shape, such as {@code float32[2, 3]}. */
    @Override
    public String toString() {
        return isClosed() ? "closed tensor" : dtype() + shape().toString();
    }

    // ---- Gradients ----

    private static final Operator DETACH = Operator.of("detach", "");

    /** Whether operators on this tensor are recorded under {@link Mode#GRAD}. */
    public boolean requiresGrad() {
        return Native.storage(handle).requiresGrad();
    }

    /** Whether this tensor was made by the user rather than by a recorded operator. */
    public boolean isLeaf() {
        return Native.storage(handle).leaf();
    }

    /**
     * Sets whether gradients are collected here.
     *
     * @throws LibtorchException if it is no leaf
     */
    public Tensor requiresGrad(boolean requiresGrad) {
        Native.setRequiresGrad(handle, requiresGrad);
        return this;
    }

    /** The collected gradient, or null if there is none. */
    public @Nullable Tensor grad() {
        TensorHandle grad = Native.grad(handle);
        return grad == null ? null : adopt(grad);
    }

    /** Replaces the collected gradient; null clears it. */
    public void setGrad(@Nullable Tensor grad) {
        Native.setGrad(handle, handle(grad));
    }

    /** Collects the gradients of this scalar in the leaves that it was computed from. */
    public void backward() {
        if (elements() != 1) {
            throw new IllegalStateException(
                    "backward() starts at one number, not at shape "
                            + shape()
                            + "; pass the gradient of this tensor, or sum it");
        }
        backward(null);
    }

    /** Collects gradients, given the gradient of this tensor (null for 1). */
    public void backward(@Nullable Tensor gradient) {
        Gradients.backward(List.of(this), Arrays.asList(gradient), false);
    }

    /** The same values without their history; shares memory. */
    public Tensor detach() {
        return run(DETACH.call().arg(handle));
    }

    // ---- Arithmetic ----

    private static final Operator ADD = Operator.of("add", "Tensor");
    private static final Operator ADD_ = Operator.of("add_", "Tensor");
    private static final Operator ADD_SCALAR = Operator.of("add", "Scalar");
    private static final Operator SUB = Operator.of("sub", "Tensor");
    private static final Operator SUB_ = Operator.of("sub_", "Tensor");
    private static final Operator SUB_SCALAR = Operator.of("sub", "Scalar");
    private static final Operator RSUB = Operator.of("rsub", "Scalar");
    private static final Operator MUL = Operator.of("mul", "Tensor");
    private static final Operator MUL_ = Operator.of("mul_", "Tensor");
    private static final Operator MUL_SCALAR = Operator.of("mul", "Scalar");
    private static final Operator MUL_SCALAR_ = Operator.of("mul_", "Scalar");
    private static final Operator DIV = Operator.of("div", "Tensor");
    private static final Operator DIV_ = Operator.of("div_", "Tensor");
    private static final Operator DIV_SCALAR = Operator.of("div", "Scalar");
    private static final Operator POW = Operator.of("pow", "Tensor_Scalar");
    private static final Operator ADDCMUL = Operator.of("addcmul", "");
    private static final Operator LERP = Operator.of("lerp", "Scalar");
    private static final Operator LERP_ = Operator.of("lerp_", "Scalar");
    private static final Operator MINIMUM = Operator.of("minimum", "");
    private static final Operator MAXIMUM = Operator.of("maximum", "");
    private static final Operator FILL_ = Operator.of("fill_", "Scalar");
    private static final Operator COPY_ = Operator.of("copy_", "");

    private CallFrame binary(Operator operator, String name, Tensor other) {
        requireBroadcast(name, shape(), other.shape());
        return operator.call().arg(handle).arg(other.handle);
    }

    private CallFrame binaryInto(Operator operator, String name, Tensor other) {
        Checks.requireExpands(name, other.shape(), shape());
        return operator.call().arg(handle).arg(other.handle);
    }

    /** this + other, broadcast. */
    public Tensor plus(Tensor other) {
        return run(binary(ADD, "plus", other));
    }

    /** this + alpha · other, broadcast. */
    public Tensor plus(Tensor other, double alpha) {
        return run(binary(ADD, "plus", other).arg(alpha));
    }

    /** this + other. */
    public Tensor plus(double other) {
        return run(ADD_SCALAR.call().arg(handle).arg(other));
    }

    /** this − other, broadcast. */
    public Tensor minus(Tensor other) {
        return run(binary(SUB, "minus", other));
    }

    /** this − other. */
    public Tensor minus(double other) {
        return run(SUB_SCALAR.call().arg(handle).arg(other));
    }

    /** other − this. */
    public Tensor subtractedFrom(double other) {
        return run(RSUB.call().arg(handle).arg(other));
    }

    /** this · other, element by element, broadcast. */
    public Tensor times(Tensor other) {
        return run(binary(MUL, "times", other));
    }

    /** this · other. */
    public Tensor times(double other) {
        return run(MUL_SCALAR.call().arg(handle).arg(other));
    }

    /** this / other, element by element, broadcast. */
    public Tensor dividedBy(Tensor other) {
        return run(binary(DIV, "dividedBy", other));
    }

    /** this / other. */
    public Tensor dividedBy(double other) {
        return run(DIV_SCALAR.call().arg(handle).arg(other));
    }

    /** this to the power of an exponent. */
    public Tensor pow(double exponent) {
        return run(POW.call().arg(handle).arg(exponent));
    }

    /** this + scale · a · b, broadcast. */
    public Tensor plusProduct(Tensor a, Tensor b, double scale) {
        requireBroadcast("plusProduct", shape(), a.shape());
        requireBroadcast("plusProduct", shape(), b.shape());
        return run(ADDCMUL.call().arg(handle).arg(a.handle).arg(b.handle).arg(scale));
    }

    /** this + weight · (end − this). */
    public Tensor lerp(Tensor end, double weight) {
        return run(binary(LERP, "lerp", end).arg(weight));
    }

    /** The smaller of each pair, broadcast. */
    public Tensor minimum(Tensor other) {
        return run(binary(MINIMUM, "minimum", other));
    }

    /** The larger of each pair, broadcast. */
    public Tensor maximum(Tensor other) {
        return run(binary(MAXIMUM, "maximum", other));
    }

    /** Adds alpha · other here. */
    public Tensor plusInPlace(Tensor other, double alpha) {
        return inPlace(binaryInto(ADD_, "plusInPlace", other).arg(alpha));
    }

    /** Adds other here. */
    public Tensor plusInPlace(Tensor other) {
        return inPlace(binaryInto(ADD_, "plusInPlace", other));
    }

    /** Subtracts other here. */
    public Tensor minusInPlace(Tensor other) {
        return inPlace(binaryInto(SUB_, "minusInPlace", other));
    }

    /** Multiplies by other here. */
    public Tensor timesInPlace(Tensor other) {
        return inPlace(binaryInto(MUL_, "timesInPlace", other));
    }

    /** Multiplies by a number here. */
    public Tensor timesInPlace(double other) {
        return inPlace(MUL_SCALAR_.call().arg(handle).arg(other));
    }

    /** Divides by other here. */
    public Tensor dividedByInPlace(Tensor other) {
        return inPlace(binaryInto(DIV_, "dividedByInPlace", other));
    }

    /** Moves towards {@code end} by a weight, here. */
    public Tensor lerpInPlace(Tensor end, double weight) {
        return inPlace(binaryInto(LERP_, "lerpInPlace", end).arg(weight));
    }

    /** Sets all elements. */
    public Tensor fillInPlace(double value) {
        return inPlace(FILL_.call().arg(handle).arg(value));
    }

    /** Copies a tensor's values here, from any type and device, broadcast. */
    public Tensor copyInPlace(Tensor source) {
        return inPlace(binaryInto(COPY_, "copyInPlace", source));
    }

    // ---- Functions of each element ----

    private static final Operator NEG = Operator.of("neg", "");
    private static final Operator ABS = Operator.of("abs", "");
    private static final Operator SIGN = Operator.of("sign", "");
    private static final Operator EXP = Operator.of("exp", "");
    private static final Operator LOG = Operator.of("log", "");
    private static final Operator SQRT = Operator.of("sqrt", "");
    private static final Operator RSQRT = Operator.of("rsqrt", "");
    private static final Operator RECIPROCAL = Operator.of("reciprocal", "");
    private static final Operator SQUARE = Operator.of("square", "");
    private static final Operator SIN = Operator.of("sin", "");
    private static final Operator COS = Operator.of("cos", "");
    private static final Operator TANH = Operator.of("tanh", "");
    private static final Operator ERF = Operator.of("erf", "");
    private static final Operator FLOOR = Operator.of("floor", "");
    private static final Operator ROUND = Operator.of("round", "");
    private static final Operator SIGMOID = Operator.of("sigmoid", "");
    private static final Operator SILU = Operator.of("silu", "");
    private static final Operator RELU = Operator.of("relu", "");
    private static final Operator GELU = Operator.of("gelu", "");
    private static final Operator CLAMP = Operator.of("clamp", "");
    private static final Operator ISFINITE = Operator.of("isfinite", "");
    private static final Operator LOGICAL_NOT = Operator.of("logical_not", "");

    private Tensor unary(Operator operator) {
        return run(operator.call().arg(handle));
    }

    /** −this. */
    public Tensor negated() {
        return unary(NEG);
    }

    /** |this|. */
    public Tensor abs() {
        return unary(ABS);
    }

    /** −1, 0 or 1. */
    public Tensor sign() {
        return unary(SIGN);
    }

    /** e to the power of this. */
    public Tensor exp() {
        return unary(EXP);
    }

    /** Natural logarithm. */
    public Tensor log() {
        return unary(LOG);
    }

    /** Square root. */
    public Tensor sqrt() {
        return unary(SQRT);
    }

    /** 1 / square root. */
    public Tensor rsqrt() {
        return unary(RSQRT);
    }

    /** 1 / this. */
    public Tensor reciprocal() {
        return unary(RECIPROCAL);
    }

    /** this². */
    public Tensor square() {
        return unary(SQUARE);
    }

    /** Sine. */
    public Tensor sin() {
        return unary(SIN);
    }

    /** Cosine. */
    public Tensor cos() {
        return unary(COS);
    }

    /** Hyperbolic tangent. */
    public Tensor tanh() {
        return unary(TANH);
    }

    /** The error function. */
    public Tensor erf() {
        return unary(ERF);
    }

    /** The largest integer not above. */
    public Tensor floor() {
        return unary(FLOOR);
    }

    /** The nearest integer, halves to even. */
    public Tensor round() {
        return unary(ROUND);
    }

    /** 1 / (1 + e^−x). */
    public Tensor sigmoid() {
        return unary(SIGMOID);
    }

    /** x · sigmoid(x), also called swish. */
    public Tensor silu() {
        return unary(SILU);
    }

    /** max(x, 0). */
    public Tensor relu() {
        return unary(RELU);
    }

    /** x · Φ(x), with Φ exact. */
    public Tensor gelu() {
        return unary(GELU);
    }

    /** x · Φ(x), with the tanh approximation of Φ. */
    public Tensor geluTanh() {
        return run(GELU.call().arg(handle).arg("tanh"));
    }

    /** Limits the elements to [low, high]. */
    public Tensor clamp(double low, double high) {
        return run(CLAMP.call().arg(handle).arg(low).arg(high));
    }

    /**
     * Whether each element is neither infinite nor NaN.
     *
     * @return bool
     */
    public Tensor isFinite() {
        return unary(ISFINITE);
    }

    /**
     * Whether each element is zero.
     *
     * @return bool
     */
    public Tensor not() {
        return unary(LOGICAL_NOT);
    }

    // ---- Comparisons ----

    private static final Operator EQ = Operator.of("eq", "Tensor");
    private static final Operator EQ_SCALAR = Operator.of("eq", "Scalar");
    private static final Operator LT = Operator.of("lt", "Tensor");
    private static final Operator LT_SCALAR = Operator.of("lt", "Scalar");
    private static final Operator GT = Operator.of("gt", "Tensor");
    private static final Operator GT_SCALAR = Operator.of("gt", "Scalar");
    private static final Operator LE_SCALAR = Operator.of("le", "Scalar");
    private static final Operator GE_SCALAR = Operator.of("ge", "Scalar");
    private static final Operator WHERE = Operator.of("where", "self");
    private static final Operator MASKED_FILL = Operator.of("masked_fill", "Scalar");
    private static final Operator EQUAL = Operator.of("equal", "");

    /**
     * Where this equals other.
     *
     * @return bool, broadcast
     */
    public Tensor eq(Tensor other) {
        return run(binary(EQ, "eq", other));
    }

    /**
     * Where this equals a number.
     *
     * @return bool
     */
    public Tensor eq(double other) {
        return run(EQ_SCALAR.call().arg(handle).arg(other));
    }

    /**
     * Where this is less.
     *
     * @return bool, broadcast
     */
    public Tensor lt(Tensor other) {
        return run(binary(LT, "lt", other));
    }

    /**
     * Where this is less.
     *
     * @return bool
     */
    public Tensor lt(double other) {
        return run(LT_SCALAR.call().arg(handle).arg(other));
    }

    /**
     * Where this is greater.
     *
     * @return bool, broadcast
     */
    public Tensor gt(Tensor other) {
        return run(binary(GT, "gt", other));
    }

    /**
     * Where this is greater.
     *
     * @return bool
     */
    public Tensor gt(double other) {
        return run(GT_SCALAR.call().arg(handle).arg(other));
    }

    /**
     * Where this is at most a number.
     *
     * @return bool
     */
    public Tensor le(double other) {
        return run(LE_SCALAR.call().arg(handle).arg(other));
    }

    /**
     * Where this is at least a number.
     *
     * @return bool
     */
    public Tensor ge(double other) {
        return run(GE_SCALAR.call().arg(handle).arg(other));
    }

    /** {@code yes} where this bool tensor is true, {@code no} elsewhere, broadcast. */
    public Tensor where(Tensor yes, Tensor no) {
        requireBroadcast("where", shape(), yes.shape());
        requireBroadcast("where", shape(), no.shape());
        return run(WHERE.call().arg(handle).arg(yes.handle).arg(no.handle));
    }

    /** A number where a bool mask is true, this elsewhere. */
    public Tensor maskedFill(Tensor mask, double value) {
        return run(binary(MASKED_FILL, "maskedFill", mask).arg(value));
    }

    /** Whether shapes and all elements are equal. */
    public boolean contentEquals(Tensor other) {
        return shape().equals(other.shape())
                && EQUAL.call()
                        .arg(handle)
                        .arg(other.handle)
                        .bool(ThreadState.current().mode().nativeMode);
    }

    // ---- Reductions ----

    private static final Operator SUM = Operator.of("sum", "");
    private static final Operator SUM_DIMS = Operator.of("sum", "dim_IntList");
    private static final Operator MEAN = Operator.of("mean", "");
    private static final Operator MEAN_DIMS = Operator.of("mean", "dim");
    private static final Operator VAR_DIMS = Operator.of("var", "correction");
    private static final Operator AMAX = Operator.of("amax", "");
    private static final Operator AMIN = Operator.of("amin", "");
    private static final Operator ARGMAX = Operator.of("argmax", "");
    private static final Operator CUMSUM = Operator.of("cumsum", "");
    private static final Operator CUMPROD = Operator.of("cumprod", "");
    private static final Operator ALL = Operator.of("all", "");
    private static final Operator ANY = Operator.of("any", "");
    private static final Operator NORM = Operator.of("linalg_vector_norm", "");
    private static final Operator LOGSUMEXP = Operator.of("logsumexp", "");
    private static final Operator SOFTMAX = Operator.of("softmax", "int");
    private static final Operator LOG_SOFTMAX = Operator.of("log_softmax", "int");
    private static final Operator SORT = Operator.of("sort", "");

    private long[] dims(int... dims) {
        var checked = new long[dims.length];
        for (int i = 0; i < dims.length; i++) {
            checked[i] = shape().dim(dims[i]);
        }
        return checked;
    }

    /**
     * The sum of all elements.
     *
     * @return {@code []}
     */
    public Tensor sum() {
        return unary(SUM);
    }

    /**
     * Sums over dimensions.
     *
     * @param keep leaves them with size 1
     */
    public Tensor sum(boolean keep, int... dims) {
        return run(SUM_DIMS.call().arg(handle).ints(dims(dims)).arg(keep));
    }

    /**
     * The mean of all elements.
     *
     * @return {@code []}
     */
    public Tensor mean() {
        return unary(MEAN);
    }

    /**
     * Means over dimensions.
     *
     * @param keep leaves them with size 1
     */
    public Tensor mean(boolean keep, int... dims) {
        return run(MEAN_DIMS.call().arg(handle).ints(dims(dims)).arg(keep));
    }

    /**
     * Variances over dimensions.
     *
     * @param correction 1 for the sample's variance, 0 for the population's
     * @param keep leaves the dimensions with size 1
     */
    public Tensor variance(long correction, boolean keep, int... dims) {
        return run(VAR_DIMS.call().arg(handle).ints(dims(dims)).arg(correction).arg(keep));
    }

    /**
     * The largest of all elements.
     *
     * @return {@code []}
     */
    public Tensor max() {
        return run(AMAX.call().arg(handle).ints());
    }

    /**
     * The largest over dimensions.
     *
     * @param keep leaves them with size 1
     */
    public Tensor max(boolean keep, int... dims) {
        return run(AMAX.call().arg(handle).ints(dims(dims)).arg(keep));
    }

    /**
     * The smallest of all elements.
     *
     * @return {@code []}
     */
    public Tensor min() {
        return run(AMIN.call().arg(handle).ints());
    }

    /**
     * The smallest over dimensions.
     *
     * @param keep leaves them with size 1
     */
    public Tensor min(boolean keep, int... dims) {
        return run(AMIN.call().arg(handle).ints(dims(dims)).arg(keep));
    }

    /**
     * The index of the largest element along a dimension.
     *
     * @return int64
     */
    public Tensor argmax(int dim) {
        return run(ARGMAX.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /** Running sums along a dimension. */
    public Tensor cumsum(int dim) {
        return run(CUMSUM.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /** Running products along a dimension. */
    public Tensor cumprod(int dim) {
        return run(CUMPROD.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /**
     * Whether all elements are true or not zero.
     *
     * @return bool {@code []}
     */
    public Tensor all() {
        return unary(ALL);
    }

    /**
     * Whether any element is true or not zero.
     *
     * @return bool {@code []}
     */
    public Tensor any() {
        return unary(ANY);
    }

    /** The Euclidean norm over dimensions; over all if none is given. */
    public Tensor norm(boolean keep, int... dims) {
        CallFrame call = NORM.call().arg(handle).arg(2.0);
        return run((dims.length == 0 ? call.none() : call.ints(dims(dims))).arg(keep));
    }

    /** log Σ exp over dimensions. */
    public Tensor logSumExp(boolean keep, int... dims) {
        return run(LOGSUMEXP.call().arg(handle).ints(dims(dims)).arg(keep));
    }

    /** exp(x) / Σ exp(x) along a dimension. */
    public Tensor softmax(int dim) {
        return run(SOFTMAX.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /** The logarithm of {@link #softmax}. */
    public Tensor logSoftmax(int dim) {
        return run(LOG_SOFTMAX.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /** Sorted values and their former indices along a dimension. */
    public List<Tensor> sort(int dim, boolean descending) {
        return runAll(SORT.call().arg(handle).arg((long) shape().dim(dim)).arg(descending));
    }

    // ---- Shape ----

    private static final Operator RESHAPE = Operator.of("reshape", "");
    private static final Operator PERMUTE = Operator.of("permute", "");
    private static final Operator TRANSPOSE = Operator.of("transpose", "int");
    private static final Operator UNSQUEEZE = Operator.of("unsqueeze", "");
    private static final Operator SQUEEZE = Operator.of("squeeze", "dim");
    private static final Operator FLATTEN = Operator.of("flatten", "using_ints");
    private static final Operator EXPAND = Operator.of("expand", "");
    private static final Operator CONTIGUOUS = Operator.of("contiguous", "");
    private static final Operator CLONE = Operator.of("clone", "");
    private static final Operator CHUNK = Operator.of("chunk", "");
    private static final Operator SPLIT = Operator.of("split_with_sizes", "");
    private static final Operator UNBIND = Operator.of("unbind", "int");
    private static final Operator NARROW = Operator.of("narrow", "");
    private static final Operator SELECT = Operator.of("select", "int");
    private static final Operator INDEX_SELECT = Operator.of("index_select", "");
    private static final Operator GATHER = Operator.of("gather", "");
    private static final Operator REPEAT = Operator.of("repeat", "");
    private static final Operator REPEAT_INTERLEAVE = Operator.of("repeat_interleave", "self_int");
    private static final Operator FLIP = Operator.of("flip", "");
    private static final Operator VIEW_DTYPE = Operator.of("view", "dtype");
    private static final Operator TO = Operator.of("to", "dtype_layout");
    private static final Operator TRIL = Operator.of("tril", "");
    private static final Operator TRIU = Operator.of("triu", "");

    /**
     * The same elements in another shape; shares memory where it can.
     *
     * @param shape one size may be −1, to be worked out
     */
    public Tensor reshape(long... shape) {
        Checks.requireReshape(shape(), shape);
        return run(RESHAPE.call().arg(handle).ints(shape));
    }

    /** The dimensions in another order; shares memory. */
    public Tensor permute(int... dims) {
        if (dims.length != rank()) {
            throw new IllegalArgumentException(
                    "permute: "
                            + Arrays.toString(dims)
                            + " does not order the "
                            + rank()
                            + " dimensions of shape "
                            + shape());
        }
        return run(PERMUTE.call().arg(handle).ints(dims(dims)));
    }

    /** Two dimensions exchanged; shares memory. */
    public Tensor transpose(int a, int b) {
        return run(
                TRANSPOSE.call().arg(handle).arg((long) shape().dim(a)).arg((long) shape().dim(b)));
    }

    /** A new dimension of size 1 at a position; shares memory. */
    public Tensor unsqueeze(int dim) {
        int position = dim < 0 ? dim + rank() + 1 : dim;
        if (position < 0 || position > rank()) {
            throw new IndexOutOfBoundsException(
                    "unsqueeze: no position " + dim + " in shape " + shape());
        }
        return run(UNSQUEEZE.call().arg(handle).arg((long) position));
    }

    /** Without a dimension of size 1; shares memory. */
    public Tensor squeeze(int dim) {
        if (size(dim) != 1) {
            throw new IllegalArgumentException(
                    "squeeze: dimension " + dim + " of shape " + shape() + " is not 1");
        }
        return run(SQUEEZE.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /** Dimensions {@code from} to {@code to}, both included, as one. */
    public Tensor flatten(int from, int to) {
        return run(
                FLATTEN.call()
                        .arg(handle)
                        .arg((long) shape().dim(from))
                        .arg((long) shape().dim(to)));
    }

    /**
     * Repeats dimensions of size 1 without copying.
     *
     * @param shape −1 leaves a size as it is
     */
    public Tensor expand(long... shape) {
        return run(EXPAND.call().arg(handle).ints(shape));
    }

    /** The elements in row-major order; this tensor's own memory if they are already. */
    public Tensor contiguous() {
        return unary(CONTIGUOUS);
    }

    /** A copy with memory of its own. */
    public Tensor copy() {
        return unary(CLONE);
    }

    /** Equal parts along a dimension (the last may be smaller); they share memory. */
    public List<Tensor> chunk(long parts, int dim) {
        return runAll(CHUNK.call().arg(handle).arg(parts).arg((long) shape().dim(dim)));
    }

    /** Parts of given sizes along a dimension; they share memory. */
    public List<Tensor> split(int dim, long... sizes) {
        if (Arrays.stream(sizes).sum() != size(dim)) {
            throw new IllegalArgumentException(
                    "split: "
                            + Arrays.toString(sizes)
                            + " does not add up to dimension "
                            + dim
                            + " of shape "
                            + shape());
        }
        return runAll(SPLIT.call().arg(handle).ints(sizes).arg((long) shape().dim(dim)));
    }

    /** The slices along a dimension, without it; they share memory. */
    public List<Tensor> unbind(int dim) {
        return runAll(UNBIND.call().arg(handle).arg((long) shape().dim(dim)));
    }

    /** {@code length} slices from {@code start} along a dimension; shares memory. */
    public Tensor narrow(int dim, long start, long length) {
        if (start < 0 || length < 0 || start > size(dim) - length) {
            throw new IndexOutOfBoundsException(
                    "narrow: "
                            + length
                            + " from "
                            + start
                            + " is outside dimension "
                            + dim
                            + " of shape "
                            + shape());
        }
        return run(NARROW.call().arg(handle).arg((long) shape().dim(dim)).arg(start).arg(length));
    }

    /**
     * One slice along a dimension, without it; shares memory.
     *
     * @param index from 0, or −1 for last
     */
    public Tensor select(int dim, long index) {
        long size = size(dim);
        if (index < -size || index >= size) {
            throw new IndexOutOfBoundsException(
                    "select: no index " + index + " in dimension " + dim + " of shape " + shape());
        }
        return run(SELECT.call().arg(handle).arg((long) shape().dim(dim)).arg(index));
    }

    /**
     * Slices by number along a dimension.
     *
     * @param indices integers {@code [n]}
     */
    public Tensor indexSelect(int dim, Tensor indices) {
        return run(
                INDEX_SELECT.call().arg(handle).arg((long) shape().dim(dim)).arg(indices.handle));
    }

    /**
     * Elements by index along a dimension.
     *
     * @param indices int64, of this tensor's rank
     */
    public Tensor gather(int dim, Tensor indices) {
        return run(GATHER.call().arg(handle).arg((long) shape().dim(dim)).arg(indices.handle));
    }

    /** Copies side by side, so many in each dimension. */
    public Tensor repeat(long... times) {
        if (times.length < rank()) {
            throw new IllegalArgumentException(
                    "repeat: "
                            + Arrays.toString(times)
                            + " has fewer dimensions than shape "
                            + shape());
        }
        return run(REPEAT.call().arg(handle).ints(times));
    }

    /** Each slice along a dimension, so many times in a row. */
    public Tensor repeatInterleave(long times, int dim) {
        return run(REPEAT_INTERLEAVE.call().arg(handle).arg(times).arg((long) shape().dim(dim)));
    }

    /** The order along dimensions reversed. */
    public Tensor flip(int... dims) {
        return run(FLIP.call().arg(handle).ints(dims(dims)));
    }

    /** The same bytes read as another type; shares memory. */
    public Tensor viewAs(DType dtype) {
        return run(VIEW_DTYPE.call().arg(handle).arg(dtype.code()));
    }

    /** The elements on and below a diagonal of the last two dimensions, zeros elsewhere. */
    public Tensor lowerTriangle(long diagonal) {
        return run(TRIL.call().arg(handle).arg(diagonal));
    }

    /** The elements on and above a diagonal of the last two dimensions, zeros elsewhere. */
    public Tensor upperTriangle(long diagonal) {
        return run(TRIU.call().arg(handle).arg(diagonal));
    }

    /** The elements as another type; this tensor's own memory if they have it already. */
    public Tensor to(DType dtype) {
        return run(TO.call().arg(handle).arg(dtype.code()));
    }

    /** On another device; this tensor's own memory if it is there already. */
    public Tensor to(Device device) {
        return run(TO.call().arg(handle).none().none().device(device.code()));
    }

    // ---- Linear algebra ----

    private static final Operator MATMUL = Operator.of("matmul", "");
    private static final Operator BMM = Operator.of("bmm", "");

    /** Matrix product over the last two dimensions, the others broadcast. */
    public Tensor matmul(Tensor other) {
        Checks.requireMatmul(shape(), other.shape());
        return product(MATMUL, other);
    }

    /**
     * Matrix products of batches.
     *
     * @param other {@code [N,K,M]}
     * @return {@code [N,T,M]}
     */
    public Tensor bmm(Tensor other) {
        Checks.requireMatmul(shape(), other.shape());
        return product(BMM, other);
    }

    private Tensor product(Operator operator, Tensor other) {
        DType type = SixteenBits.inFloat32(Kernels.Work.PRODUCTS, this, other);
        if (type != null) {
            return SixteenBits.compute(
                    type, () -> SixteenBits.wide(this).product(operator, SixteenBits.wide(other)));
        }
        return run(operator.call().arg(handle).arg(other.handle));
    }
}
