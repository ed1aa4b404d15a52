package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.Aten;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;

import java.util.List;

/**
 * Tangential damping classifier-free guidance (Kwon et al. 2025, arXiv:2503.18137): of the
 * unconditional output only the part along the first right singular vector of both outputs is kept.
 *
 * @param scale at most 1 turns guidance off
 * @param rescale how much of the conditional output's deviation is brought back, from 0 to 1
 */
public record Tangential(double scale, double rescale) implements Guidance {
    public Tangential {
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

    /** The singular vector lies between both outputs, at the angle that their products give. */
    private Tensor combined(Tensor conditional, Tensor unconditional) {
        Tensor c = conditional.to(DType.FLOAT64);
        Tensor u = unconditional.to(DType.FLOAT64);
        Tensor difference = Outputs.dot(c, c).minus(Outputs.dot(u, u));
        Tensor angle =
                Aten.tensor("atan2", Outputs.dot(c, u).times(2), difference)
                        .dividedBy(2); // [N,1,…]
        Tensor vector = c.times(angle.cos()).plus(u.times(angle.sin()));
        Tensor part = Outputs.dot(u, vector).dividedBy(Outputs.dot(vector, vector));
        Tensor damped = vector.times(part).to(conditional.dtype());
        return damped.plus(conditional.minus(damped), scale);
    }
}
