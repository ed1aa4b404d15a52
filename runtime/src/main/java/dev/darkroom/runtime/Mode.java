package dev.darkroom.runtime;

import dev.darkroom.runtime.internal.ffi.NativeMode;

import org.jspecify.annotations.Nullable;

import java.util.Objects;

/**
 * How operators run: whether they are recorded for backward, in which precision, on which stream. A
 * thread starts with {@link #NO_GRAD}. The mode belongs to the Java thread, virtual or not, and
 * travels with each call.
 *
 * <pre>{@code
 * try (var training = Mode.GRAD.enter()) {
 *     loss(batch).backward();
 * }
 * }</pre>
 */
public final class Mode {
    /** No recording: what sampling needs. Every thread's first mode. */
    public static final Mode NO_GRAD = new Mode(false, false, null, Device.Type.CPU, null);

    /** Operators on tensors that require gradients are recorded for {@link Tensor#backward}. */
    public static final Mode GRAD = new Mode(true, false, null, Device.Type.CPU, null);

    /**
     * No recording and no version counters either; a little faster. The results can never take part
     * in autograd.
     */
    public static final Mode INFERENCE = new Mode(false, true, null, Device.Type.CPU, null);

    final NativeMode nativeMode;
    private final boolean grad;
    private final boolean inference;
    private final @Nullable DType autocast;
    private final Device.Type autocastDevice;
    private final @Nullable Stream stream;

    private Mode(
            boolean grad,
            boolean inference,
            @Nullable DType autocast,
            Device.Type autocastDevice,
            @Nullable Stream stream) {
        this.grad = grad;
        this.inference = inference;
        this.autocast = autocast;
        this.autocastDevice = autocastDevice;
        this.stream = stream;
        nativeMode =
                new NativeMode(
                        grad,
                        inference,
                        autocast == null ? -1 : autocast.code(),
                        autocastDevice.code(),
                        stream == null ? null : stream.handle);
    }

    /** Returns the mode of the calling thread. */
    public static Mode current() {
        return ThreadState.current().mode();
    }

    /**
     * Returns this mode with autocast: matrix products and convolutions run in {@code dtype},
     * reductions in float32, by libtorch's lists. libtorch's cache of cast weights is not used.
     * Where {@link Kernels} compute in float32, only results are cast.
     *
     * @param dtype {@link DType#BFLOAT16} or {@link DType#FLOAT16}
     */
    public Mode withAutocast(Device.Type device, DType dtype) {
        return new Mode(grad, inference, Objects.requireNonNull(dtype, "dtype"), device, stream);
    }

    /** Returns this mode with the work of the stream's device queued on it. */
    public Mode withStream(Stream stream) {
        Objects.requireNonNull(stream, "stream");
        return new Mode(grad, inference, autocast, autocastDevice, stream);
    }

    /** Returns this mode with operators recorded for backward or not. */
    public Mode withGradients(boolean recorded) {
        return new Mode(recorded, inference && !recorded, autocast, autocastDevice, stream);
    }

    /** Returns whether operators are recorded for backward. */
    public boolean recordsGradients() {
        return grad;
    }

    /** Returns what autocast on a device casts to; null if nothing. */
    @Nullable DType autocast(Device.Type device) {
        return device == autocastDevice ? autocast : null;
    }

    /** This mode with operators computing in the types of their arguments. */
    Mode withoutAutocast() {
        return autocast == null ? this : new Mode(grad, inference, null, Device.Type.CPU, stream);
    }

    /** Returns whether operators neither record nor cast. */
    boolean computesPlainly() {
        return !grad && autocast == null;
    }

    /** Makes this the calling thread's mode until the guard is closed, on the same thread. */
    public Guard enter() {
        ThreadState state = ThreadState.current();
        Mode before = state.mode();
        state.mode(this);
        return new Guard(state, before);
    }

    /** Brings the mode before {@link #enter} back. */
    public static final class Guard implements AutoCloseable {
        private final ThreadState state;
        private final Mode before;

        private Guard(ThreadState state, Mode before) {
            this.state = state;
            this.before = before;
        }

        @Override
        public void close() {
            if (!state.isCurrent()) {
                throw new IllegalStateException(
                        "a mode is left on the thread that entered it, not on "
                                + Thread.currentThread());
            }
            state.mode(before);
        }
    }
}
