package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.Tensor;

import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * The zero initialisation of CFG-Zero★ (Fan et al. 2025, arXiv:2503.18886): in the first steps,
 * where a flow's velocity is estimated worse than by nothing, the network's output is taken to be
 * zero.
 *
 * @param guidance of the other steps
 * @param steps how many steps begin so; 0 for none
 */
public record ZeroInit(Guidance guidance, int steps) implements Guidance {
    public ZeroInit {
        Objects.requireNonNull(guidance, "guidance");
        if (steps < 0) {
            throw new IllegalArgumentException(
                    "the output is zero in 0 steps or more, not in " + steps);
        }
    }

    @Override
    public List<List<String>> evaluations() {
        return InSteps.withAlone(guidance, steps > 0);
    }

    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        return guidance.denoise(x, at, evaluator);
    }

    @Override
    public Guidance over(List<NoiseLevel> levels, Supplier<Tensor> zeros) {
        Objects.requireNonNull(zeros, "zeros");
        List<NoiseLevel> run = List.copyOf(levels);
        Guidance inner = guidance.over(run, zeros);
        return new Guidance() {
            @Override
            public List<List<String>> evaluations() {
                return InSteps.withAlone(inner, steps > 0);
            }

            @Override
            public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
                if (InSteps.step(run, at) >= steps) {
                    return inner.denoise(x, at, evaluator);
                }
                Tensor zero = x.times(0);
                return new Denoised(
                        evaluator.prediction().denoised(zero, x, at),
                        null,
                        evaluator.conditional(x, at).variance());
            }
        };
    }
}
