package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.List;

/**
 * Perp-Neg (Armandpour et al. 2023, arXiv:2304.04968): guidance leads away from the negative prompt
 * only as far as that is perpendicular to the prompt, so that what both share stays. Both are seen
 * from the empty prompt. Without a negative prompt it is classifier-free guidance.
 *
 * @param scale at most 1 turns guidance off
 * @param negative the weight of the negative prompt, 0 or more
 */
public record PerpendicularNegative(double scale, double negative) implements Guidance {
    private static final double EPS = 1e-30;
    private static final List<String> NAMES =
            List.of(Evaluator.EMPTY, Evaluator.CONDITIONAL, Evaluator.UNCONDITIONAL);

    public PerpendicularNegative {
        ClassifierFree.requireScale(scale, 0);
        if (!(negative >= 0) || Double.isInfinite(negative)) {
            throw new IllegalArgumentException(
                    "the weight of the negative prompt is 0 or more, not " + negative);
        }
    }

    @Override
    public List<List<String>> evaluations() {
        return Outputs.evaluations(scale, NAMES);
    }

    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        if (scale <= 1) {
            return evaluator.conditional(x, at);
        }
        List<Denoised> each = evaluator.denoise(x, at, NAMES);
        try (var scope = TensorScope.open()) {
            Tensor empty = each.get(0).x0();
            Tensor towards = each.get(1).x0().minus(empty);
            Tensor away = each.get(2).x0().minus(empty);
            Tensor norm = Outputs.dot(towards, towards).clamp(EPS, Double.POSITIVE_INFINITY);
            Tensor shared = towards.times(Outputs.dot(away, towards).dividedBy(norm));
            Tensor step = towards.plus(away.minus(shared), -negative);
            return new Denoised(
                    scope.keep(empty.plus(step, scale)), null, each.get(1).variance(), empty);
        }
    }
}
