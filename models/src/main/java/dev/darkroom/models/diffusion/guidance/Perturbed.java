package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * Guidance away from what the network predicts with some blocks perturbed, beside classifier-free
 * guidance: skip-layer guidance (Stable Diffusion 3.5; Hyung et al. 2024, arXiv:2411.18664),
 * perturbed-attention guidance (Ahn et al. 2024, arXiv:2403.17377) and smoothed energy guidance
 * (Hong 2024, arXiv:2408.00760): guided + weight·(conditional − perturbed).
 *
 * @param scale of classifier-free guidance; at most 1 turns that off
 * @param rescale how much of the conditional output's deviation is brought back, from 0 to 1
 * @param weight of the perturbed estimate, 0 or more
 * @param perturbation which blocks, and how
 * @param start the share of the steps up to which only classifier-free guidance acts; 0 for none
 * @param stop the share from which only that acts; 1 for none
 */
public record Perturbed(
        double scale,
        double rescale,
        double weight,
        Perturbation perturbation,
        double start,
        double stop)
        implements Guidance {
    public Perturbed {
        Objects.requireNonNull(perturbation, "perturbation");
        ClassifierFree.requireScale(scale, rescale);
        InSteps.requireShares(start, stop);
        if (!(weight >= 0) || Double.isInfinite(weight)) {
            throw new IllegalArgumentException(
                    "the weight of the perturbed estimate is 0 or more, not " + weight);
        }
    }

    private ClassifierFree classifierFree() {
        return new ClassifierFree(scale, rescale);
    }

    private List<String> names() {
        var names = new ArrayList<>(classifierFree().evaluations().getLast());
        names.add(Evaluator.PERTURBED);
        return names;
    }

    @Override
    public List<List<String>> evaluations() {
        var evaluations = new ArrayList<>(classifierFree().evaluations());
        if (weight > 0) {
            evaluations.add(names());
        }
        return evaluations;
    }

    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        if (weight == 0) {
            return classifierFree().denoise(x, at, evaluator);
        }
        List<Denoised> each = evaluator.denoise(x, at, names());
        try (var scope = TensorScope.open()) {
            Denoised conditional = each.get(each.size() - 2);
            Tensor x0 = conditional.x0();
            Tensor away = x0.minus(each.getLast().x0());
            if (scale > 1) {
                Tensor unconditional = each.getFirst().x0();
                x0 = unconditional.plus(x0.minus(unconditional), scale);
            }
            x0 = x0.plus(away, weight);
            if (rescale > 0) {
                x0 =
                        ClassifierFree.rescaled(
                                rescale, x0, conditional.x0(), x, at, evaluator.prediction());
            }
            return new Denoised(
                    scope.keep(x0),
                    null,
                    conditional.variance(),
                    scale > 1 ? each.getFirst().x0() : null);
        }
    }

    @Override
    public Guidance over(List<NoiseLevel> levels, Supplier<Tensor> zeros) {
        Objects.requireNonNull(zeros, "zeros");
        List<NoiseLevel> run = List.copyOf(levels);
        int first = start == 0 ? 0 : (int) (start * run.size()) + 1;
        int end = (int) (stop * run.size());
        return new Guidance() {
            @Override
            public List<List<String>> evaluations() {
                return Perturbed.this.evaluations();
            }

            @Override
            public Perturbation perturbation() {
                return perturbation;
            }

            @Override
            public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
                int step = InSteps.step(run, at);
                Guidance acting = step >= first && step < end ? Perturbed.this : classifierFree();
                return acting.denoise(x, at, evaluator);
            }
        };
    }
}
