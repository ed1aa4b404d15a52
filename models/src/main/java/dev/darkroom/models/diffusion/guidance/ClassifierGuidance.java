package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Perturbation;
import dev.darkroom.runtime.Gradients;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * Classifier guidance (Dhariwal and Nichol 2021, arXiv:2105.05233, algorithms 1 and 2): the
 * gradient of a classifier's log-probability is added to the score, so that x̂0 moves by
 * weight·(sigma²/alpha)·∇ₓ log p(y|x). At pure noise, where alpha is 0 and x says nothing of y,
 * there is none.
 *
 * @param guidance what becomes of the network's own estimates, such as {@link Guidance#NONE}
 * @param classifier knows noisy latents
 * @param weight of the gradient, the paper's s, 0 or more; 1 samples p(x|y) of a classifier that is
 *     exact
 */
public record ClassifierGuidance(Guidance guidance, Classifier classifier, double weight)
        implements Guidance {
    /** What tells how likely noisy latents are what is asked for. */
    @FunctionalInterface
    public interface Classifier {
        /**
         * The logarithm of the probability p(y|x) of what is asked for.
         *
         * @param x noisy latents, recorded for backward {@code [N,C,…]}
         * @param at the level of their noise
         * @return {@code [N]}
         */
        Tensor logProbability(Tensor x, NoiseLevel at);
    }

    public ClassifierGuidance {
        Objects.requireNonNull(guidance, "guidance");
        Objects.requireNonNull(classifier, "classifier");
        if (!(weight >= 0) || !Float.isFinite((float) weight)) {
            throw new IllegalArgumentException(
                    "the weight of a classifier is 0 or more and finite in float32, not " + weight);
        }
    }

    @Override
    public List<List<String>> evaluations() {
        return guidance.evaluations();
    }

    @Override
    public @Nullable Perturbation perturbation() {
        return guidance.perturbation();
    }

    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        Denoised denoised = guidance.denoise(x, at, evaluator);
        if (weight == 0 || at.alpha() == 0) {
            return denoised;
        }
        try (var scope = TensorScope.open()) {
            double factor = weight * at.sigma() * at.sigma() / at.alpha();
            Tensor x0 = scope.keep(denoised.x0().plus(gradient(x, at), factor));
            return new Denoised(x0, null, denoised.variance(), denoised.unconditional());
        }
    }

    /** ∇ₓ log p(y|x), each sample's own {@code [N,C,…]}. */
    private Tensor gradient(Tensor x, NoiseLevel at) {
        try (var scope = TensorScope.open();
                var recording = Mode.current().withGradients(true).enter()) {
            Tensor leaf = x.detach().copy().requiresGrad(true);
            Tensor logProbability = classifier.logProbability(leaf, at);
            if (!logProbability.shape().equals(Shape.of(x.size(0)))) {
                throw new IllegalArgumentException(
                        "a classifier gives a logarithm for each of "
                                + x.size(0)
                                + " samples, not "
                                + logProbability.shape());
            }
            Tensor gradient =
                    logProbability.requiresGrad()
                            ? Gradients.of(
                                            List.of(logProbability.sum()),
                                            Collections.singletonList(null),
                                            List.of(leaf),
                                            false)
                                    .getFirst()
                            : null;
            if (gradient == null) {
                throw new IllegalArgumentException(
                        "the classifier's result does not depend on the latents, so that it has no"
                                + " gradient");
            }
            return scope.keep(gradient);
        }
    }

    @Override
    public Guidance over(List<NoiseLevel> evaluations, Supplier<Tensor> zeros) {
        return new ClassifierGuidance(guidance.over(evaluations, zeros), classifier, weight);
    }

    @Override
    public Guidance scaled(double scale) {
        return new ClassifierGuidance(guidance.scaled(scale), classifier, weight);
    }
}
