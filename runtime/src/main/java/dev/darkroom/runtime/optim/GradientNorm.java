package dev.darkroom.runtime.optim;

import dev.darkroom.runtime.Aten;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Parameter;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/** The Euclidean norm of all gradients together, and clipping by it. */
public final class GradientNorm {
    private GradientNorm() {}

    /**
     * Computes the Euclidean norm of the gradients of parameters, as if they were one vector;
     * infinite or NaN if one of them is.
     */
    public static double of(Collection<Parameter> parameters) {
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            return of(gradients(parameters));
        }
    }

    /**
     * Scales gradients down so that their norm is at most {@code max} (Pascanu et al., arXiv
     * 1211.5063, algorithm 1), as {@code torch.nn.utils.clip_grad_norm_} does. If the norm is
     * infinite or NaN, the gradients are left as they are: the caller skips the step.
     *
     * @return the norm before
     */
    public static double clip(Collection<Parameter> parameters, double max) {
        if (!(max > 0)) {
            throw new IllegalArgumentException(
                    "gradients are clipped to a norm above 0, not " + max);
        }
        try (var scope = TensorScope.open();
                var mode = Mode.NO_GRAD.enter()) {
            List<Tensor> gradients = gradients(parameters);
            double norm = of(gradients);
            double scale = max / (norm + 1e-6);
            if (scale < 1 && norm < Double.POSITIVE_INFINITY) {
                Aten.call("aten::_foreach_mul_.Scalar", gradients, scale);
            }
            return norm;
        }
    }

    private static List<Tensor> gradients(Collection<Parameter> parameters) {
        List<Tensor> gradients = new ArrayList<>();
        for (Parameter parameter : parameters) {
            Tensor gradient = parameter.value().grad();
            if (gradient != null) {
                gradients.add(gradient);
            }
        }
        return gradients;
    }

    private static double of(List<Tensor> gradients) {
        double sumOfSquares = 0;
        for (Tensor gradient : gradients) {
            DType dtype = gradient.dtype() == DType.FLOAT64 ? DType.FLOAT64 : DType.FLOAT32;
            double norm =
                    Aten.tensor("aten::linalg_vector_norm", gradient, 2, null, false, dtype).item();
            sumOfSquares += norm * norm;
        }
        return Math.sqrt(sumOfSquares);
    }
}
