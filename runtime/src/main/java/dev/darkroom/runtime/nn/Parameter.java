package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A tensor that belongs to a {@link Module}, under the name that it has in checkpoints. It is
 * declared with a shape when the module is made and has a value once the network is loaded; the
 * value can be replaced (another type or device, merged adapters, averaged weights).
 */
public final class Parameter implements AutoCloseable {
    private final String key;
    private final Shape shape;
    private final boolean buffer;
    private final @Nullable DType avoided;
    private final boolean narrowable;
    private final AtomicReference<@Nullable Tensor> value = new AtomicReference<>();

    /** In place of a value, one that is kept in fewer bits. */
    private final AtomicReference<@Nullable NarrowWeight> narrow = new AtomicReference<>();

    /** What gives a value when there is none. */
    private volatile @Nullable Deferred<?> deferred;

    /** What the value will be, where that is known before. */
    private @Nullable DType type;

    private @Nullable Device device;
    private boolean training;
    private boolean frozen;
    private boolean constant;

    /**
     * @param avoided a type that float32 is used for instead
     * @param narrowable whether it may be kept in another type than it is computed in
     */
    Parameter(
            String key, Shape shape, boolean buffer, @Nullable DType avoided, boolean narrowable) {
        this.key = key;
        this.shape = shape;
        this.buffer = buffer;
        this.avoided = avoided;
        this.narrowable = narrowable;
    }

    /**
     * Makes a parameter outside of modules, for what is trained beside them.
     *
     * @param key its name
     * @param value taken over; closed with {@link #close}
     */
    public static Parameter of(String key, Tensor value) {
        var parameter =
                new Parameter(
                        Objects.requireNonNull(key, "key"), value.shape(), false, null, false);
        parameter.set(value);
        return parameter;
    }

    /** Returns the name in the checkpoint, from the root of the network. */
    public String key() {
        return key;
    }

    /** Returns the shape that the module gave it. */
    public Shape shape() {
        return shape;
    }

    /** Returns whether this is a buffer, which is never trained. */
    public boolean isBuffer() {
        return buffer;
    }

    /**
     * Returns the tensor, which stays the module's. One that is {@linkplain #isNarrow kept in fewer
     * bits} is widened: a new tensor, of the open scope.
     *
     * <p>In a {@link Deferred} network, this loads all parameters if they are not loaded.
     *
     * @throws IllegalStateException if the network is not loaded yet, or closed
     * @throws java.io.UncheckedIOException if a deferred network can't be read any more
     * @throws dev.darkroom.runtime.InsufficientMemoryException if there is not enough memory for it
     */
    public Tensor value() {
        Tensor current = value.get();
        if (current != null) {
            return current;
        }
        NarrowWeight kept = loadedNarrow();
        if (kept != null) {
            return kept.widened();
        }
        current = value.get();
        if (current == null) {
            throw new IllegalStateException(
                    key + " has no value: its network is still being built, or is closed");
        }
        return current;
    }

    /** Loads a deferred network if it is not loaded. */
    private @Nullable NarrowWeight loadedNarrow() {
        Deferred<?> later = deferred;
        if (later != null && value.get() == null && narrow.get() == null) {
            later.loadUnchecked();
        }
        return narrow.get();
    }

    /**
     * Returns the type that is computed in, which a value that is not loaded yet will have.
     *
     * @throws IllegalStateException if the network is still being built, or closed
     */
    public DType dtype() {
        DType known = typeOrNull();
        return known == null ? value().dtype() : known;
    }

    /** Returns the type that is computed in; null if it shows only in a value that is not there. */
    @Nullable DType typeOrNull() {
        NarrowWeight kept = narrow.get();
        Tensor current = value.get();
        if (current != null) {
            return current.dtype();
        }
        return kept == null ? type : kept.computed();
    }

    /**
     * Returns the device, where a value that is not loaded yet will be.
     *
     * @throws IllegalStateException if the network is still being built, or closed
     */
    public Device device() {
        NarrowWeight kept = narrow.get();
        if (kept != null) {
            return kept.stored().device();
        }
        Device known = device;
        return value.get() != null || known == null ? value().device() : known;
    }

    /**
     * Returns whether the value is kept in another type than it is computed in. In a {@link
     * Deferred} network, this loads all parameters as {@link #value} does.
     */
    public boolean isNarrow() {
        return loadedNarrow() != null;
    }

    /** Returns the bytes of the value, as it is kept. */
    long bytes() {
        NarrowWeight kept = loadedNarrow();
        return kept == null ? NarrowWeight.bytes(value()) : kept.bytes();
    }

    /** Returns the value of a parameter that a module may lack. */
    public static @Nullable Tensor valueOf(@Nullable Parameter parameter) {
        return parameter == null ? null : parameter.value();
    }

    /**
     * Takes over a tensor as the value and closes the one before; where a call on another thread is
     * using that, it is freed when the call returns.
     *
     * @throws IllegalArgumentException if it has another shape
     * @throws IllegalStateException if the value is kept in fewer bits, or would be lost when its
     *     network is loaded again
     */
    public void set(Tensor tensor) {
        requireWhole("changed");
        fill(tensor);
    }

    /** Takes over a tensor as the value. */
    void fill(Tensor tensor) {
        if (!tensor.shape().equals(shape)) {
            throw new IllegalArgumentException(
                    key + " has shape " + shape + ", not " + tensor.shape());
        }
        Tensor before = value.getAndSet(TensorScope.detach(tensor));
        if (before != null && before != tensor) {
            TensorScope.release(before);
        }
        if (training && isTrainable()) {
            tensor.requiresGrad(true);
        }
    }

    /** Takes over a value that is kept in fewer bits, where there is none. */
    void fill(NarrowWeight kept) {
        narrow.set(kept);
    }

    /**
     * Requires a value that is there for good, in the type that it is computed in.
     *
     * @param what can't be done otherwise
     */
    void requireWhole(String what) {
        if (deferred != null) {
            throw new IllegalStateException(
                    key
                            + " is freed between two uses of its network, so that it can't be "
                            + what
                            + "; load the checkpoint without offload");
        }
        requireWidth(what);
    }

    /**
     * Requires a value in the type that it is computed in.
     *
     * @param what can't be done otherwise
     */
    void requireWidth(String what) {
        NarrowWeight kept = loadedNarrow();
        if (kept != null) {
            throw new IllegalStateException(
                    key
                            + " is kept as "
                            + kept.stored().dtype()
                            + ", so that it can't be "
                            + what
                            + "; load its network with weights in the type that is computed in");
        }
    }

    /** Returns whether it may be kept in another type than it is computed in. */
    boolean isNarrowable() {
        return narrowable;
    }

    /** Says what the value will be. */
    void plan(DType dtype, Device on) {
        type = dtype;
        device = on;
    }

    /** Says what gives the value when there is none; null for nothing. */
    void defer(@Nullable Deferred<?> to) {
        deferred = to;
    }

    /** Returns the type that this parameter has in a network of a type. */
    DType typeIn(DType network) {
        return network == avoided ? DType.FLOAT32 : network;
    }

    /** Returns whether this is something to train: no buffer, no integers, not frozen. */
    boolean isTrainable() {
        return !buffer && !frozen && dtype().isFloatingPoint();
    }

    /** Marks a buffer that is computed and in no checkpoint. */
    void constant() {
        constant = true;
    }

    boolean isConstant() {
        return constant;
    }

    void training(boolean on) {
        if (on) {
            requireWhole("trained");
        }
        training = on;
        record();
    }

    void frozen(boolean on) {
        frozen = on;
        record();
    }

    private void record() {
        Tensor current = value.get();
        if (current == null) {
            return;
        }
        boolean on = training && isTrainable();
        if (current.requiresGrad() != on) {
            current.requiresGrad(on);
        }
    }

    /**
     * Casts a value to the type that this parameter has in a network of a type; integers stay as
     * they are.
     */
    Tensor cast(Tensor tensor, DType network) {
        if (!tensor.dtype().isFloatingPoint()) {
            return tensor;
        }
        return tensor.to(typeIn(network));
    }

    /** Frees the value. */
    void free() {
        Tensor before = value.getAndSet(null);
        if (before != null) {
            TensorScope.release(before);
        }
        NarrowWeight kept = narrow.getAndSet(null);
        if (kept != null) {
            kept.release();
        }
    }

    /** Frees the value for good. Closing twice is allowed; a module closes its own. */
    @Override
    public void close() {
        deferred = null;
        type = null;
        device = null;
        free();
    }

    /** Returns key and shape. */
    @Override
    public String toString() {
        return key + shape;
    }
}
