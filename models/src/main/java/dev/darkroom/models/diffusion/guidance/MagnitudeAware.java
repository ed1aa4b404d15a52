package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.Tensor;

import java.util.List;

/**
 * Magnitude-aware guidance (MAMBO-G: Zhu et al. 2025, arXiv:2508.03442): the weight above 1 falls
 * by {@code exp(−alpha · r)}, r being how large the difference of both outputs is beside the
 * unconditional one, so that the first steps, where it is large, are guided less.
 *
 * @param scale at most 1 turns guidance off
 * @param alpha from 0 on, which is classifier-free guidance
 * @param rescale how much of the conditional output's deviation is brought back, from 0 to 1
 */
public record MagnitudeAware(double scale, double alpha, double rescale) implements Guidance {
    public MagnitudeAware {
        ClassifierFree.requireScale(scale, rescale);
        if (!(alpha >= 0 && alpha < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException(
                    "alpha of magnitude-aware guidance is a number from 0 on, not " + alpha);
        }
    }

    @Override
    public List<List<String>> evaluations() {
        return Outputs.evaluations(scale, Outputs.PAIR);
    }

    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        return scale > 1
                ? Outputs.combined(x, at, evaluator, rescale, this::combined)
                : evaluator.conditional(x, at);
    }

    private Tensor combined(Tensor conditional, Tensor unconditional) {
        Tensor difference = conditional.minus(unconditional);
        Tensor ratio =
                Outputs.dot(difference, difference)
                        .dividedBy(Outputs.dot(unconditional, unconditional))
                        .sqrt(); // [N,1,…]
        Tensor weight = ratio.times(-alpha).exp().times(scale - 1).plus(1);
        return unconditional.plus(difference.times(weight));
    }
}
