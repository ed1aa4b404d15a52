package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Parameter;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/** A parameter's value with its accumulated gradient, both contiguous. */
record Gradient(String key, Tensor value, Tensor gradient) {
    /** Returns those of a group's parameters that have a gradient. */
    static List<Gradient> of(ParameterGroup group) {
        List<Gradient> gradients = new ArrayList<>();
        group.parameters()
                .forEach(
                        (key, parameter) -> {
                            Tensor value = parameter.value();
                            Tensor gradient = value.grad();
                            if (gradient != null) {
                                requireContiguous(key, value);
                                gradients.add(new Gradient(key, value, gradient.contiguous()));
                            }
                        });
        return gradients;
    }

    /** Visits the parameters of groups. */
    static void forEach(List<ParameterGroup> groups, BiConsumer<String, Tensor> visitor) {
        for (ParameterGroup group : groups) {
            group.parameters()
                    .forEach(
                            (key, parameter) -> {
                                Tensor value = parameter.value();
                                requireContiguous(key, value);
                                visitor.accept(key, value);
                            });
        }
    }

    /**
     * Requires a contiguous value: the fused step goes through memory from its start to its end.
     */
    private static void requireContiguous(String key, Tensor value) {
        if (!value.isContiguous()) {
            throw new IllegalArgumentException(key + " is not contiguous; set it to contiguous()");
        }
    }

    static void clear(List<ParameterGroup> groups) {
        for (ParameterGroup group : groups) {
            for (Parameter parameter : group.parameters().values()) {
                parameter.value().setGrad(null);
            }
        }
    }

    static Tensor zerosLike(Tensor value) {
        return Tensor.zeros(value.shape(), value.dtype(), value.device());
    }
}
