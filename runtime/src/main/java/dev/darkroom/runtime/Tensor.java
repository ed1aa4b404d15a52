package dev.darkroom.runtime;

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
import java.util.Arrays;
import java.util.List;

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
public final class Tensor extends ElementwiseOperators implements AutoCloseable {
    Tensor(TensorHandle handle) {
        super(handle);
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

    /** Makes a tensor whose elements are not initialised: they are whatever was in memory. */
    public static Tensor empty(Shape shape, DType dtype, Device device) {
        return run(options(EMPTY.call().ints(shape.toArray()), dtype, device));
    }

    /** Makes a tensor of zeros. */
    public static Tensor zeros(Shape shape, DType dtype, Device device) {
        return full(shape, 0, dtype, device);
    }

    /** Makes a tensor of zeros on the CPU. */
    public static Tensor zeros(DType dtype, long... shape) {
        return zeros(Shape.of(shape), dtype, Device.CPU);
    }

    /** Makes a tensor of ones. */
    public static Tensor ones(Shape shape, DType dtype, Device device) {
        return full(shape, 1, dtype, device);
    }

    /** Makes a tensor of ones on the CPU. */
    public static Tensor ones(DType dtype, long... shape) {
        return ones(Shape.of(shape), dtype, Device.CPU);
    }

    /** Makes a tensor with all elements equal. */
    public static Tensor full(Shape shape, double value, DType dtype, Device device) {
        return run(options(FULL.call().ints(shape.toArray()).arg(value), dtype, device));
    }

    /** Makes a tensor without dimensions on the CPU. */
    public static Tensor scalar(double value, DType dtype) {
        return full(Shape.SCALAR, value, dtype, Device.CPU);
    }

    /**
     * Makes a tensor of the numbers from {@code start} up to, not including, {@code end}.
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
     * Makes a tensor of the integers 0 … end − 1 on the CPU.
     *
     * @return int64 {@code [end]}
     */
    public static Tensor arange(long end) {
        return run(options(ARANGE.call().arg(0L).arg(end).arg(1L), DType.INT64, Device.CPU));
    }

    /** Makes a tensor of {@code steps} equally spaced numbers on the CPU, both ends included. */
    public static Tensor linspace(double start, double end, long steps, DType dtype) {
        return run(options(LINSPACE.call().arg(start).arg(end).arg(steps), dtype, Device.CPU));
    }

    /**
     * Makes the identity matrix.
     *
     * @return {@code [n,n]}
     */
    public static Tensor eye(long n, DType dtype, Device device) {
        return run(options(EYE.call().arg(n), dtype, device));
    }

    /**
     * Samples from the standard normal distribution, as PyTorch's {@code randn} does.
     *
     * @param generator null for libtorch's default generator of the device
     */
    public static Tensor randn(
            Shape shape, @Nullable Generator generator, DType dtype, Device device) {
        return run(options(random(RANDN, shape, generator), dtype, device));
    }

    /**
     * Samples float32 from the standard normal distribution on the CPU.
     *
     * @param generator null for libtorch's default generator
     */
    public static Tensor randn(@Nullable Generator generator, long... shape) {
        return randn(Shape.of(shape), generator, DType.FLOAT32, Device.CPU);
    }

    /** Samples uniformly from [0, 1). */
    public static Tensor rand(
            Shape shape, @Nullable Generator generator, DType dtype, Device device) {
        return run(options(random(RAND, shape, generator), dtype, device));
    }

    /** Samples integers uniformly from {@code low} to {@code high} − 1. */
    public static Tensor randint(
            long low, long high, Shape shape, @Nullable Generator generator, DType dtype) {
        CallFrame call = RANDINT.call().arg(low).arg(high).ints(shape.toArray());
        return run(options(call.generator(handle(generator)), dtype, Device.CPU));
    }

    /**
     * Samples a random permutation of 0 … n − 1.
     *
     * @return int64 {@code [n]}
     */
    public static Tensor randperm(long n, @Nullable Generator generator) {
        CallFrame call = RANDPERM.call().arg(n).generator(handle(generator));
        return run(options(call, DType.INT64, Device.CPU));
    }

    private static CallFrame random(Operator operator, Shape shape, @Nullable Generator generator) {
        return operator.call().ints(shape.toArray()).generator(handle(generator));
    }

    private static dev.darkroom.runtime.internal.ffi.@Nullable ObjectHandle handle(
            @Nullable Generator generator) {
        return generator == null ? null : generator.handle;
    }

    // ---- Tensors from Java's memory ----

    /**
     * Copies an array to a float32 tensor on the CPU.
     *
     * @throws IllegalArgumentException if sizes differ
     */
    public static Tensor copyOf(float[] values, long... shape) {
        return copyOf(MemorySegment.ofArray(values), DType.FLOAT32, Shape.of(shape));
    }

    /**
     * Copies an array to a float64 tensor on the CPU.
     *
     * @throws IllegalArgumentException if sizes differ
     */
    public static Tensor copyOf(double[] values, long... shape) {
        return copyOf(MemorySegment.ofArray(values), DType.FLOAT64, Shape.of(shape));
    }

    /**
     * Copies an array to an int64 tensor on the CPU.
     *
     * @throws IllegalArgumentException if sizes differ
     */
    public static Tensor copyOf(long[] values, long... shape) {
        return copyOf(MemorySegment.ofArray(values), DType.INT64, Shape.of(shape));
    }

    /**
     * Copies an array to an int32 tensor on the CPU.
     *
     * @throws IllegalArgumentException if sizes differ
     */
    public static Tensor copyOf(int[] values, long... shape) {
        return copyOf(MemorySegment.ofArray(values), DType.INT32, Shape.of(shape));
    }

    /**
     * Copies an array to a uint8 tensor on the CPU.
     *
     * @throws IllegalArgumentException if sizes differ
     */
    public static Tensor copyOf(byte[] values, long... shape) {
        return copyOf(MemorySegment.ofArray(values), DType.UINT8, Shape.of(shape));
    }

    /**
     * Copies an array to a bool tensor on the CPU.
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
     * Copies memory to a tensor on the CPU.
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
     * Makes a tensor over memory that Java owns: nothing is copied, a write on one side is seen on
     * the other. This tensor and its views keep the segment reachable; using one when the arena is
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
        return adopt(Native.fromMemory(memory, shape.toArray(), dtype.code(), Device.CPU.code()));
    }

    /**
     * Returns the tensor's memory, shared: a write on one side is seen on the other. It is valid,
     * for any thread, until this tensor is closed or an operator called through {@link Aten} gives
     * it another shape: an access after that is an {@link IllegalStateException}. The segment of a
     * {@linkplain #borrow borrowed} tensor is valid as long as the memory that was borrowed.
     *
     * @return the elements in row-major order
     * @throws IllegalStateException if the tensor is not contiguous or not on the CPU
     */
    public MemorySegment segment() {
        return Native.segment(handle);
    }

    /**
     * Returns a part of the tensor's memory for reading and writing files, shared like {@link
     * #segment}.
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

    /** Copies the elements as float32, row-major, from any type and device. */
    public float[] toFloatArray() {
        return values(DType.FLOAT32, segment -> segment.toArray(ValueLayout.JAVA_FLOAT));
    }

    /** Copies the elements as float64, row-major, from any type and device. */
    public double[] toDoubleArray() {
        return values(DType.FLOAT64, segment -> segment.toArray(ValueLayout.JAVA_DOUBLE));
    }

    /** Copies the elements as int64, row-major, from any type and device. */
    public long[] toLongArray() {
        return values(DType.INT64, segment -> segment.toArray(ValueLayout.JAVA_LONG));
    }

    /** Copies the elements as int32, row-major, from any type and device. */
    public int[] toIntArray() {
        return values(DType.INT32, segment -> segment.toArray(ValueLayout.JAVA_INT));
    }

    /** Copies the elements as uint8, row-major, from any type and device. */
    public byte[] toByteArray() {
        return values(DType.UINT8, segment -> segment.toArray(ValueLayout.JAVA_BYTE));
    }

    /** Copies the elements as booleans (not zero), row-major, from any type and device. */
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
     * Returns the value of a tensor with one element.
     *
     * @throws IllegalStateException if it has none or several
     */
    public double item() {
        return itemCall().real(ThreadState.current().mode().nativeMode);
    }

    /**
     * Returns the value of an integral tensor with one element.
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
     * Returns this tensor in DLPack's form, sharing its memory.
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

    // ---- Gradients ----

    private static final Operator DETACH = Operator.of("detach", "");

    /** Returns whether operators on this tensor are recorded under {@link Mode#GRAD}. */
    public boolean requiresGrad() {
        return Native.storage(handle).requiresGrad();
    }

    /**
     * Returns whether this tensor is a leaf: made by the user rather than by a recorded operator.
     */
    public boolean isLeaf() {
        return Native.storage(handle).leaf();
    }

    /**
     * Sets whether gradients are accumulated in this tensor.
     *
     * @throws LibtorchException if it is no leaf
     */
    public Tensor requiresGrad(boolean requiresGrad) {
        Native.setRequiresGrad(handle, requiresGrad);
        return this;
    }

    /** Returns the accumulated gradient, or null if there is none. */
    public @Nullable Tensor grad() {
        TensorHandle grad = Native.grad(handle);
        return grad == null ? null : adopt(grad);
    }

    /** Replaces the accumulated gradient; null clears it. */
    public void setGrad(@Nullable Tensor grad) {
        Native.setGrad(handle, handle(grad));
    }

    /** Accumulates the gradients of this scalar in the leaves that it was computed from. */
    public void backward() {
        if (elements() != 1) {
            throw new IllegalStateException(
                    "backward() starts at one number, not at shape "
                            + shape()
                            + "; pass the gradient of this tensor, or sum it");
        }
        backward(null);
    }

    /** Accumulates gradients, given the gradient of this tensor (null for 1). */
    public void backward(@Nullable Tensor gradient) {
        Gradients.backward(List.of(this), Arrays.asList(gradient), false);
    }

    /** Returns the same values without their history; shares memory. */
    public Tensor detach() {
        return run(DETACH.call().arg(handle));
    }

    // ---- Linear algebra ----

    private static final Operator MATMUL = Operator.of("matmul", "");
    private static final Operator BMM = Operator.of("bmm", "");

    /** Multiplies matrices over the last two dimensions; the others are broadcast. */
    public Tensor matmul(Tensor other) {
        Checks.requireMatmul(shape(), other.shape());
        return product(MATMUL, other);
    }

    /**
     * Multiplies batches of matrices.
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
        if (DryRun.isOn(this)) {
            DryRun.matmul(this, other);
        }
        return run(operator.call().arg(handle).arg(other.handle));
    }
}
