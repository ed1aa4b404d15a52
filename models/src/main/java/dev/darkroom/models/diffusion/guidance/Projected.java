package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import java.util.stream.IntStream;

/**
 * Adaptive projected guidance (Sadat et al. 2024, arXiv:2410.02416): of the step from the
 * unconditional to the conditional output, which is averaged over the run and bounded, the part
 * along the conditional output saturates pictures and is weakened. As in diffusers, it works on the
 * network's outputs; for a network that predicts the data those are the paper's.
 *
 * @param scale at most 1 turns guidance off
 * @param rescale how much of the conditional output's deviation is brought back, from 0 to 1
 * @param eta the weight of the parallel part; 1 for that of classifier-free guidance
 * @param momentum β of the running average, above −1 and below 1, below 0 for the paper's reverse
 *     momentum; 0 for none
 * @param threshold r, the greatest norm of the step; 0 for none
 * @param fromConditional whether the step is added to the conditional output, not to the
 *     unconditional: diffusers' {@code use_original_formulation}
 */
public record Projected(
        double scale,
        double rescale,
        double eta,
        double momentum,
        double threshold,
        boolean fromConditional)
        implements Guidance {
    private static final double EPS = 1e-12;

    public Projected {
        ClassifierFree.requireScale(scale, rescale);
        if (!Float.isFinite((float) eta) || !(momentum > -1 && momentum < 1) || !(threshold >= 0)) {
            throw new IllegalArgumentException(
                    "projected guidance needs a finite eta, a momentum above -1 and below 1 and a"
                            + " threshold of 0 or more, not "
                            + eta
                            + ", "
                            + momentum
                            + " and "
                            + threshold);
        }
    }

    /** Whether it is classifier-free guidance. */
    boolean isNeutral() {
        return eta == 1 && momentum == 0 && threshold == 0 && !fromConditional;
    }

    @Override
    public List<List<String>> evaluations() {
        return Outputs.evaluations(scale, Outputs.PAIR);
    }

    /** Without the memory of a run, in which there is no last step. */
    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        return denoise(x, at, evaluator, null);
    }

    @Override
    public Guidance over(List<NoiseLevel> levels, Supplier<Tensor> zeros) {
        Objects.requireNonNull(levels, "levels");
        Objects.requireNonNull(zeros, "zeros");
        if (momentum == 0 || scale <= 1) {
            return this;
        }
        Tensor average = zeros.get(); // [N,C,…]
        return new Guidance() {
            @Override
            public List<List<String>> evaluations() {
                return Projected.this.evaluations();
            }

            @Override
            public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
                return Projected.this.denoise(x, at, evaluator, average);
            }
        };
    }

    private Denoised denoise(
            Tensor x, NoiseLevel at, Evaluator evaluator, @Nullable Tensor average) {
        return scale > 1
                ? Outputs.combined(x, at, evaluator, rescale, (c, u) -> combined(c, u, average))
                : evaluator.conditional(x, at);
    }

    private Tensor combined(Tensor conditional, Tensor unconditional, @Nullable Tensor average) {
        Tensor step = conditional.minus(unconditional);
        if (average != null) {
            step = average.timesInPlace(momentum).plusInPlace(step);
        }
        if (threshold > 0) {
            Tensor norm = step.norm(true, IntStream.range(1, step.rank()).toArray());
            step = step.times(norm.reciprocal().times(threshold).clamp(0, 1));
        }
        Tensor wide = step.to(DType.FLOAT64);
        Tensor along = conditional.to(DType.FLOAT64);
        Tensor norm = Outputs.dot(along, along).clamp(EPS * EPS, Double.POSITIVE_INFINITY);
        Tensor parallel = along.times(Outputs.dot(wide, along).dividedBy(norm));
        Tensor update = wide.minus(parallel).plus(parallel, eta).to(step.dtype());
        return (fromConditional ? conditional : unconditional).plus(update, scale);
    }
}
