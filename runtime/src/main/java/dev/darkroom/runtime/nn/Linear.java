package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * The linear layer x · weightᵀ + bias, and the adapters that are attached to it. Keys: {@code
 * weight [out,in]}, {@code bias [out]}.
 */
public final class Linear extends Module {
    private final Parameter weight;
    private final @Nullable Parameter bias;
    private final List<Adapter> adapters = new CopyOnWriteArrayList<>();

    /** A change that is learned beside a layer whose weight stays as it is, such as LoRA's. */
    public interface Adapter {
        /** Returns the factor of the change; 0 while the adapter is off. */
        double scale();

        /**
         * Computes the change of the layer's output at a scale of 1.
         *
         * @param x the layer's input {@code [...,in]}
         * @return {@code [...,out]}, of any floating-point type
         */
        Tensor forward(Tensor x);
    }

    /** Declares a layer with or without a bias. */
    public Linear(Weights w, long in, long out, boolean bias) {
        this(w, in, out, bias, Init.fanIn(in));
    }

    /** Declares a layer that is initialised with the variance of PyTorch's, {@link Init#linear}. */
    public static Linear asInPyTorch(Weights w, long in, long out, boolean bias) {
        return new Linear(w, in, out, bias, Init.linear(in));
    }

    /**
     * Declares a layer whose weight is initialised in a way of its own, such as {@link Init#ZEROS}
     * for the last layer of a residual branch.
     */
    public Linear(Weights w, long in, long out, boolean bias, Init init) {
        super(w);
        weight = w.matrix("weight", Shape.of(out, in), init);
        this.bias = bias ? w.parameter("bias", Shape.of(out), Init.ZEROS) : null;
    }

    /**
     * Applies the layer, and adds the changes of its adapters, each times its scale.
     *
     * @param x {@code [...,in]}
     * @return {@code [...,out]}
     */
    public Tensor forward(Tensor x) {
        Tensor y = weight.isNarrow() ? widened(x) : product(x);
        return adapters.isEmpty() ? y : adapted(x, y);
    }

    private Tensor product(Tensor x) {
        return Ops.linear(x, weight.value(), Parameter.valueOf(bias));
    }

    /** The product with a weight that is wide for it alone. */
    private Tensor widened(Tensor x) {
        try (var scope = TensorScope.open()) {
            return scope.keep(product(x));
        }
    }

    private Tensor adapted(Tensor x, Tensor y) {
        try (var scope = TensorScope.open()) {
            Tensor sum = null;
            for (Adapter adapter : adapters) {
                double scale = adapter.scale();
                if (scale != 0) {
                    Tensor change = adapter.forward(x).times(scale);
                    sum = sum == null ? change : sum.plus(change);
                }
            }
            return sum == null ? y : scope.keep(y.plus(sum.to(y.dtype())));
        }
    }

    /**
     * Attaches an adapter beside those that are attached already. It stays the caller's, and may
     * change its scale at any time between two calls of the network.
     */
    public void attach(Adapter adapter) {
        adapters.add(Objects.requireNonNull(adapter, "adapter"));
    }

    /** Detaches an adapter; one that is not attached is ignored. */
    public void detach(Adapter adapter) {
        adapters.remove(adapter);
    }

    /** Returns the weight {@code [out,in]}. */
    public Parameter weight() {
        return weight;
    }

    /** Returns the bias {@code [out]}, or null if there is none. */
    public @Nullable Parameter bias() {
        return bias;
    }
}
