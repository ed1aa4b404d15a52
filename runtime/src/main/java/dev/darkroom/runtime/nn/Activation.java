package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Aten;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

/** Elementwise nonlinearities, under the names that configs give them. */
public enum Activation {
    /** x · sigmoid(x), also called swish. */
    SILU(Tensor::silu, "silu", "swish"),

    /** x · Φ(x) (Hendrycks and Gimpel 2016). */
    GELU(Tensor::gelu, "gelu"),

    /** {@link #GELU} with the tanh approximation of Φ. */
    GELU_TANH(Tensor::geluTanh, "gelu-approximate", "gelu_new", "gelu_pytorch_tanh"),

    /** x · sigmoid(1.702 x): CLIP's approximation of {@link #GELU}. */
    QUICK_GELU(Activation::quickGelu, "quick_gelu"),

    /** max(x, 0). */
    RELU(Tensor::relu, "relu"),

    /** x · tanh(log(1 + eˣ)) (Misra 2019). */
    MISH(x -> Aten.tensor("mish", x), "mish");

    private final UnaryOperator<Tensor> function;
    private final List<String> names;

    Activation(UnaryOperator<Tensor> function, String... names) {
        this.function = function;
        this.names = List.of(names);
    }

    /** Applies the function to each element. */
    public Tensor apply(Tensor x) {
        return function.apply(x);
    }

    private static Tensor quickGelu(Tensor x) {
        try (var scope = TensorScope.open()) {
            return scope.keep(x.times(x.times(1.702).sigmoid()));
        }
    }

    /**
     * Returns the activation that configs of diffusers and transformers call so.
     *
     * @throws IllegalArgumentException if there is none of that name
     */
    public static Activation parse(String name) {
        return Arrays.stream(values())
                .filter(activation -> activation.names.contains(name))
                .findFirst()
                .orElseThrow(
                        () ->
                                new IllegalArgumentException(
                                        "no activation \"" + name + "\"; there are " + allNames()));
    }

    private static String allNames() {
        return Arrays.stream(values())
                .flatMap(activation -> activation.names.stream())
                .collect(Collectors.joining(", "));
    }
}
