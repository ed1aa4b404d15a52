package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Solvers;
import dev.darkroom.runtime.Tensor;

import java.util.List;

/**
 * The guidance of CFG++ (Chung et al. 2024, arXiv:2406.08070, algorithm 2), for {@link
 * Solvers#cfgPlusPlus}: x̂0 lies between both estimates, unconditional + λ·(conditional −
 * unconditional). It is classifier-free guidance with weights that {@link
 * dev.darkroom.models.diffusion.ClassifierFree} takes for none: both estimates are asked for at
 * every λ.
 *
 * @param lambda the paper's λ from 0, which is unconditional sampling, to 1, where x̂0 is the
 *     conditional one. It is no weight of classifier-free guidance: by the authors, 0.6 acts about
 *     as 7.5 there, and 0 to 1 as 1 to 12.5
 */
public record CfgPlusPlus(double lambda) implements Guidance {
    /** The λ that the authors' examples take. */
    public static final double LAMBDA = 0.6;

    public CfgPlusPlus {
        if (!(lambda >= 0 && lambda <= 1)) {
            throw new IllegalArgumentException(
                    "the weight of guidance in CFG++ is from 0 to 1, not "
                            + lambda
                            + "; 0.6 acts about as 7.5 does in classifier-free guidance");
        }
    }

    @Override
    public List<List<String>> evaluations() {
        return List.of(Outputs.PAIR);
    }

    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        List<Denoised> both = evaluator.denoise(x, at, Outputs.PAIR);
        Tensor unconditional = both.get(0).x0();
        Tensor x0 = unconditional.lerp(both.get(1).x0(), lambda);
        return new Denoised(x0, null, both.get(1).variance(), unconditional);
    }

    @Override
    public CfgPlusPlus scaled(double scale) {
        return new CfgPlusPlus(scale);
    }
}
