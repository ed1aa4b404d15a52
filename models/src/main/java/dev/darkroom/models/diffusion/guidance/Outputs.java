package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Preconditioning;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.List;
import java.util.function.BinaryOperator;
import java.util.stream.IntStream;

/** What guidances that combine the network's outputs, and not x̂0, have in common. */
final class Outputs {
    static final List<String> PAIR = List.of(Evaluator.UNCONDITIONAL, Evaluator.CONDITIONAL);

    private Outputs() {}

    /** The evaluations of a guidance of this scale, of which at most 1 is none. */
    static List<List<String>> evaluations(double scale, List<String> names) {
        return scale > 1 ? List.of(names) : List.of(List.of(Evaluator.CONDITIONAL));
    }

    /**
     * Denoises by a combination of the conditional output (first) and the unconditional.
     *
     * @param rescale as {@link ClassifierFree#rescaled(double, Tensor, Tensor)} takes it
     */
    static Denoised combined(
            Tensor x,
            NoiseLevel at,
            Evaluator evaluator,
            double rescale,
            BinaryOperator<Tensor> combination) {
        Preconditioning prediction = evaluator.prediction();
        List<Denoised> both = evaluator.denoise(x, at, PAIR);
        try (var scope = TensorScope.open()) {
            Tensor unconditional = prediction.output(both.get(0).x0(), x, at);
            Tensor conditional = prediction.output(both.get(1).x0(), x, at);
            Tensor output = combination.apply(conditional, unconditional);
            if (rescale > 0) {
                output = ClassifierFree.rescaled(rescale, output, conditional);
            }
            Tensor x0 = scope.keep(prediction.denoised(output, x, at));
            return new Denoised(x0, null, both.get(1).variance(), both.get(0).x0());
        }
    }

    /** The inner product of each sample of a and b, {@code [N,1,…]}. */
    static Tensor dot(Tensor a, Tensor b) {
        return a.times(b).sum(true, IntStream.range(1, a.rank()).toArray());
    }
}
