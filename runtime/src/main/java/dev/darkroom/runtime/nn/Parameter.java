package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
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
    private final AtomicReference<@Nullable Tensor> value = new AtomicReference<>();
    private boolean training;
    private boolean frozen;
    private boolean constant;

    /**
     * @param avoided a type that float32 is used for instead
     */
    Parameter(String key, Shape shape, boolean buffer, @Nullable DType avoided) {
        this.key = key;
        this.shape = shape;
        this.buffer = buffer;
        this.avoided = avoided;
    }

    /**
     * Makes a parameter outside of modules, for what is trained beside them.
     *
     * @param key its name
     * @param value taken over; closed with {@link #close}
     */
    public static Parameter of(String key, Tensor value) {
        var parameter =
                new Parameter(Objects.requireNonNull(key, "key"), value.shape(), false, null);
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
     * Returns the tensor, which stays the module's.
     *
     * @throws IllegalStateException if the network is not loaded yet, or closed
     */
    public Tensor value() {
        Tensor current = value.get();
        if (current == null) {
            throw new IllegalStateException(
                    key + " has no value: its network is still being built, or is closed");
        }
        return current;
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
     */
    public void set(Tensor tensor) {
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

    /** Returns whether this is something to train: no buffer, no integers, not frozen. */
    boolean isTrainable() {
        return !buffer && !frozen && value().dtype().isFloatingPoint();
    }

    /** Marks a buffer that is computed and in no checkpoint. */
    void constant() {
        constant = true;
    }

    boolean isConstant() {
        return constant;
    }

    void training(boolean on) {
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
        return tensor.to(network == avoided ? DType.FLOAT32 : network);
    }

    /** Returns whether there is a value. */
    boolean isSet() {
        return value.get() != null;
    }

    /** Frees the value. Closing twice is allowed; a module closes its own. */
    @Override
    public void close() {
        Tensor before = value.getAndSet(null);
        if (before != null) {
            TensorScope.release(before);
        }
    }

    /** Returns key and shape. */
    @Override
    public String toString() {
        return key + shape;
    }
}
