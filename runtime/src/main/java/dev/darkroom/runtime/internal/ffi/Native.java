package dev.darkroom.runtime.internal.ffi;

import dev.darkroom.bindings.DarkroomH;
import dev.darkroom.bindings.dr_error;
import dev.darkroom.bindings.dr_memory;
import dev.darkroom.bindings.dr_tensor_info;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/** The shim's entries other than the operator call, with handles and exceptions. */
public final class Native {
    private Native() {}

    /** Fills a buffer with text and returns the length of the whole. */
    @FunctionalInterface
    interface TextSource {
        long write(MemorySegment to, long capacity);
    }

    /** A call of the shim that reports a status. */
    @FunctionalInterface
    private interface Call {
        int invoke(MemorySegment error);
    }

    /** A call of the shim that writes an address and reports a status. */
    @FunctionalInterface
    private interface AddressCall {
        int invoke(MemorySegment result, MemorySegment error);
    }

    static String text(TextSource source) {
        try (Arena arena = Arena.ofConfined()) {
            long capacity = 1024;
            while (true) {
                MemorySegment to = arena.allocate(capacity);
                long length = source.write(to, capacity);
                if (length < capacity) {
                    byte[] bytes = to.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE);
                    return new String(bytes, StandardCharsets.UTF_8);
                }
                capacity = length + 1;
            }
        }
    }

    private static void check(Arena arena, String what, Call call) {
        MemorySegment error = dr_error.allocate(arena);
        int status;
        try {
            status = call.invoke(error);
        } catch (AssertionError e) {
            throw Errors.ofArgument(e);
        }
        LibtorchWarnings.log();
        Errors.check(status, error, what);
    }

    /** Makes a call while the handles are held. */
    private static void call(String what, Call call, @Nullable Handle... handles) {
        Libtorch.load();
        try (Arena arena = Arena.ofConfined();
                var held = Held.used(Arrays.asList(handles))) {
            check(arena, what, call);
        }
    }

    /** Makes a call that writes an address, while the handles are held. */
    private static long address(String what, AddressCall call, @Nullable Handle... handles) {
        Libtorch.load();
        try (Arena arena = Arena.ofConfined();
                var held = Held.used(Arrays.asList(handles))) {
            MemorySegment result = arena.allocate(ValueLayout.JAVA_LONG);
            check(arena, what, error -> call.invoke(result, error));
            return result.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    private static MemorySegment pointer(Handle handle) {
        return MemorySegment.ofAddress(handle.address);
    }

    // ---- Tensors ----

    /** Makes a tensor over memory of the caller's, in row-major order. */
    public static TensorHandle fromMemory(
            MemorySegment memory, long[] shape, int dtype, int device) {
        Libtorch.load();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(ValueLayout.JAVA_LONG);
            MemorySegment sizes = longs(arena, shape);
            check(
                    arena,
                    "tensor from memory",
                    error ->
                            DarkroomH.dr_tensor_from_memory(
                                    memory,
                                    sizes,
                                    MemorySegment.NULL,
                                    shape.length,
                                    dtype,
                                    device,
                                    result,
                                    error));
            return TensorHandle.owning(result.get(ValueLayout.JAVA_LONG, 0)).borrowing(memory);
        }
    }

    static TensorInfo inspect(TensorHandle tensor, int epoch) {
        return inspect(
                tensor,
                info -> {
                    int rank = dr_tensor_info.dim(info);
                    return new TensorInfo(
                            dr_tensor_info.dtype(info),
                            dr_tensor_info.device(info),
                            copy(dr_tensor_info.sizes(info), rank),
                            copy(dr_tensor_info.strides(info), rank),
                            epoch);
                });
    }

    /** What can change while a tensor is used. */
    public record Storage(
            long data, long storage, long storageBytes, boolean requiresGrad, boolean leaf) {}

    public static Storage storage(TensorHandle tensor) {
        return inspect(
                tensor,
                info -> {
                    int flags = dr_tensor_info.flags(info);
                    return new Storage(
                            dr_tensor_info.data(info).address(),
                            dr_tensor_info.storage(info).address(),
                            dr_tensor_info.storage_bytes(info),
                            (flags & DarkroomH.DR_REQUIRES_GRAD()) != 0,
                            (flags & DarkroomH.DR_IS_LEAF()) != 0);
                });
    }

    private static <T> T inspect(TensorHandle tensor, Function<MemorySegment, T> read) {
        try (Arena arena = Arena.ofConfined();
                var held = new Held(tensor)) {
            MemorySegment info = dr_tensor_info.allocate(arena);
            check(
                    arena,
                    "inspect",
                    error -> DarkroomH.dr_tensor_inspect(pointer(tensor), info, error));
            return read.apply(info);
        }
    }

    /**
     * Returns the tensor's memory, valid until the handle is closed.
     *
     * @throws IllegalStateException if the tensor is not contiguous or not on the CPU
     */
    public static MemorySegment segment(TensorHandle tensor) {
        return contiguous(tensor, tensor::segment);
    }

    /**
     * Reads or writes the tensor's memory while the tensor is held.
     *
     * @throws IllegalStateException if the tensor is not contiguous or not on the CPU
     */
    public static <T> T access(TensorHandle tensor, Function<MemorySegment, T> access) {
        return contiguous(
                tensor,
                (address, bytes) ->
                        access.apply(
                                tensor.borrowed() == null
                                        ? MemorySegment.ofAddress(address).reinterpret(bytes)
                                        // whose arena stays open while it is accessed
                                        : tensor.segment(address, bytes)));
    }

    /** Uses memory, given its address and size in bytes. */
    @FunctionalInterface
    private interface Access<T> {
        T apply(long address, long bytes);
    }

    /** One look at the tensor says where its memory lies and how much it is. */
    private static <T> T contiguous(TensorHandle tensor, Access<T> access) {
        return inspect(
                tensor,
                info -> {
                    MemorySegment data = dr_tensor_info.data(info);
                    boolean contiguous =
                            (dr_tensor_info.flags(info) & DarkroomH.DR_IS_CONTIGUOUS()) != 0;
                    long bytes = dr_tensor_info.itemsize(info);
                    for (int i = 0; i < dr_tensor_info.dim(info); i++) {
                        bytes *= dr_tensor_info.sizes(info).getAtIndex(ValueLayout.JAVA_LONG, i);
                    }
                    boolean onCpu = dr_tensor_info.device(info) >> 8 == 0;
                    if (!contiguous || !onCpu || (data.address() == 0 && bytes > 0)) {
                        throw new IllegalStateException(
                                "only a contiguous tensor on the CPU can be seen as memory; use"
                                        + " to(Device.CPU).contiguous()");
                    }
                    return access.apply(data.address(), bytes);
                });
    }

    /** Makes another handle of the same tensor. */
    public static TensorHandle retain(TensorHandle tensor) {
        try (var held = new Held(tensor)) {
            return TensorHandle.owning(References.retainTensor(tensor.address))
                    .borrowing(tensor.borrowed());
        }
    }

    /** Returns the address of a new {@code DLManagedTensor}, which the caller owns. */
    public static long toDlpack(TensorHandle tensor) {
        return address(
                "to DLPack",
                (result, error) -> DarkroomH.dr_tensor_to_dlpack(pointer(tensor), result, error),
                tensor);
    }

    /** Takes over a {@code DLManagedTensor}. */
    public static TensorHandle fromDlpack(long managed) {
        return TensorHandle.owning(
                address(
                        "from DLPack",
                        (result, error) ->
                                DarkroomH.dr_tensor_from_dlpack(
                                        MemorySegment.ofAddress(managed), result, error)));
    }

    public static void freeDlpack(long managed) {
        Libtorch.load();
        DarkroomH.dr_dlpack_free(MemorySegment.ofAddress(managed));
    }

    // ---- Autograd ----

    public static void setRequiresGrad(TensorHandle tensor, boolean requiresGrad) {
        call(
                "requiresGrad",
                error ->
                        DarkroomH.dr_tensor_set_requires_grad(
                                pointer(tensor), requiresGrad ? 1 : 0, error),
                tensor);
    }

    public static @Nullable TensorHandle grad(TensorHandle tensor) {
        long address =
                address(
                        "grad",
                        (result, error) -> DarkroomH.dr_tensor_grad(pointer(tensor), result, error),
                        tensor);
        return address == 0 ? null : TensorHandle.owning(address);
    }

    public static void setGrad(TensorHandle tensor, @Nullable TensorHandle grad) {
        call(
                "set grad",
                error ->
                        DarkroomH.dr_tensor_set_grad(
                                pointer(tensor),
                                grad == null ? MemorySegment.NULL : pointer(grad),
                                error),
                tensor,
                grad);
    }

    /**
     * @param gradients one per output, null entries for 1
     */
    public static void backward(
            List<TensorHandle> outputs,
            List<? extends @Nullable TensorHandle> gradients,
            boolean retainGraph,
            boolean createGraph,
            NativeMode mode) {
        try (Arena arena = Arena.ofConfined();
                var out = Held.used(outputs);
                var grads = Held.used(gradients);
                var stream = new Held(mode.stream)) {
            check(
                    arena,
                    "backward",
                    error ->
                            DarkroomH.dr_backward(
                                    addresses(arena, outputs),
                                    addresses(arena, gradients),
                                    outputs.size(),
                                    retainGraph ? 1 : 0,
                                    createGraph ? 1 : 0,
                                    mode.segment,
                                    error));
        }
    }

    /**
     * @param gradients one per output, null entries for 1
     * @return one per input; null where an input does not take part
     */
    public static @Nullable TensorHandle[] gradients(
            List<TensorHandle> outputs,
            List<? extends @Nullable TensorHandle> gradients,
            List<TensorHandle> inputs,
            boolean retainGraph,
            boolean createGraph,
            boolean allowUnused,
            NativeMode mode) {
        try (Arena arena = Arena.ofConfined();
                var out = Held.used(outputs);
                var grads = Held.used(gradients);
                var in = Held.used(inputs);
                var stream = new Held(mode.stream)) {
            MemorySegment results = arena.allocate(ValueLayout.JAVA_LONG, inputs.size());
            var tensors = new @Nullable TensorHandle[inputs.size()];
            check(
                    arena,
                    "gradients",
                    error ->
                            DarkroomH.dr_grad(
                                    addresses(arena, outputs),
                                    addresses(arena, gradients),
                                    outputs.size(),
                                    addresses(arena, inputs),
                                    inputs.size(),
                                    retainGraph ? 1 : 0,
                                    createGraph ? 1 : 0,
                                    allowUnused ? 1 : 0,
                                    mode.segment,
                                    results,
                                    error));
            own(results, tensors);
            return tensors;
        }
    }

    /** Owns the references in an array, all or none. */
    private static void own(MemorySegment addresses, @Nullable TensorHandle[] tensors) {
        int owned = 0;
        try {
            for (; owned < tensors.length; owned++) {
                long address = addresses.getAtIndex(ValueLayout.JAVA_LONG, owned);
                tensors[owned] = address == 0 ? null : new TensorHandle(address);
            }
        } catch (RuntimeException | Error e) {
            for (int i = 0; i < tensors.length; i++) {
                TensorHandle tensor = tensors[i];
                if (tensor != null) {
                    tensor.abandon();
                } else if (i >= owned) {
                    References.freeTensor(addresses.getAtIndex(ValueLayout.JAVA_LONG, i));
                }
            }
            throw e;
        }
    }

    /** Writes the addresses of handles; 0 for a missing one. */
    private static MemorySegment addresses(Arena arena, List<? extends @Nullable Handle> handles) {
        MemorySegment addresses =
                arena.allocate(ValueLayout.JAVA_LONG, Math.max(handles.size(), 1));
        for (int i = 0; i < handles.size(); i++) {
            Handle handle = handles.get(i);
            if (handle != null) {
                addresses.setAtIndex(ValueLayout.JAVA_LONG, i, handle.address);
            }
        }
        return addresses;
    }

    /** Handles that are held for the time of a call. */
    static final class Held extends Pending implements AutoCloseable {
        private final @Nullable Handle[] handles;
        private int count;

        Held(@Nullable Handle... handles) {
            this.handles = handles;
            begin();
            try {
                for (; count < handles.length; count++) {
                    Handle handle = handles[count];
                    if (handle != null) {
                        handle.hold();
                    }
                }
            } catch (RuntimeException | Error e) {
                close();
                throw e;
            }
        }

        /** Holds handles whose memory is used, too. */
        static Held used(List<? extends @Nullable Handle> handles) {
            for (Handle handle : handles) {
                if (handle instanceof TensorHandle tensor) {
                    tensor.requireMemory();
                }
            }
            return new Held(handles.toArray(Handle[]::new));
        }

        @Override
        public void close() {
            end();
            undo();
        }

        @Override
        void undo() {
            while (count > 0) {
                Handle handle = handles[--count];
                if (handle != null) {
                    handle.release();
                }
            }
        }
    }

    // ---- Random numbers ----

    public static ObjectHandle newGenerator(int device, long seed) {
        return ObjectHandle.owning(
                address(
                        "generator",
                        (result, error) -> DarkroomH.dr_generator_new(device, seed, result, error)),
                "generator",
                References::freeGenerator);
    }

    public static void seed(ObjectHandle generator, long seed) {
        call(
                "seed",
                error -> DarkroomH.dr_generator_seed(pointer(generator), seed, error),
                generator);
    }

    public static TensorHandle generatorState(ObjectHandle generator) {
        return TensorHandle.owning(
                address(
                        "generator state",
                        (result, error) ->
                                DarkroomH.dr_generator_get_state(pointer(generator), result, error),
                        generator));
    }

    public static void setGeneratorState(ObjectHandle generator, TensorHandle state) {
        call(
                "generator state",
                error ->
                        DarkroomH.dr_generator_set_state(pointer(generator), pointer(state), error),
                generator,
                state);
    }

    // ---- Devices, streams, threads, memory ----

    public static int deviceCount(int deviceType) {
        Libtorch.load();
        return DarkroomH.dr_device_count(deviceType);
    }

    public static void synchronize(int device) {
        call("synchronize", error -> DarkroomH.dr_device_synchronize(device, error));
    }

    public static ObjectHandle newStream(int device) {
        return ObjectHandle.owning(
                address(
                        "stream",
                        (result, error) -> DarkroomH.dr_stream_new(device, result, error)),
                "stream",
                References::freeStream);
    }

    public static void synchronizeStream(ObjectHandle stream) {
        call(
                "synchronize stream",
                error -> DarkroomH.dr_stream_synchronize(pointer(stream), error),
                stream);
    }

    public static ObjectHandle newEvent(int device, boolean timed) {
        return ObjectHandle.owning(
                address(
                        "event",
                        (result, error) ->
                                DarkroomH.dr_event_new(device, timed ? 1 : 0, result, error)),
                "event",
                References::freeEvent);
    }

    public static void recordEvent(ObjectHandle event, ObjectHandle stream) {
        call(
                "record event",
                error -> DarkroomH.dr_event_record(pointer(event), pointer(stream), error),
                event,
                stream);
    }

    public static void awaitEvent(ObjectHandle event, ObjectHandle stream) {
        call(
                "wait for event",
                error -> DarkroomH.dr_event_block(pointer(event), pointer(stream), error),
                event,
                stream);
    }

    public static void synchronizeEvent(ObjectHandle event) {
        call(
                "synchronize event",
                error -> DarkroomH.dr_event_synchronize(pointer(event), error),
                event);
    }

    public static double elapsedMillis(ObjectHandle start, ObjectHandle end) {
        try (Arena arena = Arena.ofConfined();
                var held = new Held(start, end)) {
            MemorySegment result = arena.allocate(ValueLayout.JAVA_DOUBLE);
            check(
                    arena,
                    "elapsed time",
                    error ->
                            DarkroomH.dr_event_elapsed(
                                    pointer(start), pointer(end), result, error));
            return result.get(ValueLayout.JAVA_DOUBLE, 0);
        }
    }

    public static int threads() {
        Libtorch.load();
        return DarkroomH.dr_num_threads();
    }

    public static void setThreads(int threads) {
        call("set threads", error -> DarkroomH.dr_set_num_threads(threads, error));
    }

    public static String cpuCapability() {
        Libtorch.load();
        return text(DarkroomH::dr_cpu_capability);
    }

    /** Returns libtorch's build settings, several lines. */
    public static String config() {
        Libtorch.load();
        return text(DarkroomH::dr_libtorch_config);
    }

    /** Returns live, peak and reserved bytes of a device. */
    public static long[] memory(int device) {
        Libtorch.load();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = dr_memory.allocate(arena);
            check(
                    arena,
                    "memory statistics",
                    error -> DarkroomH.dr_memory_stats(device, memory, error));
            return new long[] {
                dr_memory.live_bytes(memory),
                dr_memory.peak_bytes(memory),
                dr_memory.reserved_bytes(memory)
            };
        }
    }

    public static void resetPeak(int device) {
        call("reset peak memory", error -> DarkroomH.dr_memory_reset_peak(device, error));
    }

    public static void emptyCache(int device) {
        call("empty cache", error -> DarkroomH.dr_memory_empty_cache(device, error));
    }

    private static MemorySegment longs(Arena arena, long[] values) {
        return values.length == 0
                ? MemorySegment.NULL
                : arena.allocateFrom(ValueLayout.JAVA_LONG, values);
    }

    private static long[] copy(MemorySegment longs, int count) {
        return longs.asSlice(0, count * 8L).toArray(ValueLayout.JAVA_LONG);
    }
}
