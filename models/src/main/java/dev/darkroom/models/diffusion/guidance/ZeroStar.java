package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.Tensor;

import java.util.List;

/**
 * CFG-Zero★ without its zero initialisation (Fan et al. 2025, arXiv:2503.18886): the unconditional
 * output is first scaled by s★ = ⟨conditional, unconditional⟩ / ‖unconditional‖², the factor that
 * brings it nearest to the conditional one. {@link ZeroInit} is the other half.
 *
 * @param scale at most 1 turns guidance off
 * @param rescale how much of the conditional output's deviation is brought back, from 0 to 1
 */
public record ZeroStar(double scale, double rescale) implements Guidance {
    private static final double EPS = 1e-8;

    public ZeroStar {
        ClassifierFree.requireScale(scale, rescale);
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
        Tensor norm = Outputs.dot(unconditional, unconditional).plus(EPS);
        Tensor nearest =
                unconditional.times(Outputs.dot(conditional, unconditional).dividedBy(norm));
        return nearest.plus(conditional.minus(nearest), scale);
    }
}
