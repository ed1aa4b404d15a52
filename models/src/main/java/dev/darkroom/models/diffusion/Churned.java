package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.DoubleFunction;

/**
 * Any solver that takes one step after another, with noise added before each (Karras et al. 2022,
 * arXiv:2206.00364, algorithm 2).
 *
 * @param each solves a step; it remembers nothing from one to the next
 * @param level of a noise-to-signal ratio; null for the line between its neighbours
 * @param early what the network predicts, if it is asked before the noise is added and its output
 *     is then taken for that at the noisier level, as diffusers does; null to ask it there
 */
record Churned(
        Solver each,
        Churn churn,
        @Nullable DoubleFunction<NoiseLevel> level,
        @Nullable Preconditioning early)
        implements Solver {
    @Override
    public Tensor solve(
            Denoiser denoiser,
            Tensor x,
            List<NoiseLevel> levels,
            NoiseSource noise,
            StepListener on) {
        Walk.requireLevels(levels);
        int all = evaluations(levels).size();
        try (var walk = new Walk(all, on)) {
            Tensor latents = x;
            for (int i = 0; i + 1 < levels.size(); i++) {
                NoiseLevel at = levels.get(i);
                NoiseLevel noisier = noisier(levels, i);
                try (var scope = TensorScope.open()) {
                    Tensor before = latents;
                    Tensor start = latents;
                    Denoiser asked = denoiser;
                    if (!noisier.equals(at)) {
                        start = churned(latents, at, noisier, noise);
                        if (early != null) {
                            asked = (noised, there) -> early(denoiser, before, at, noised, there);
                        }
                    }
                    var step = List.of(noisier, levels.get(i + 1));
                    latents =
                            walk.stepped(
                                    scope, each.solve(asked, start, step, noise, walk.within()));
                }
            }
            return walk.end(latents);
        }
    }

    private Tensor churned(Tensor x, NoiseLevel at, NoiseLevel noisier, NoiseSource noise) {
        double had = at.noiseToSignal();
        double has = noisier.noiseToSignal();
        double fresh = churn.scale() * noisier.alpha() * Math.sqrt(has * has - had * had);
        return x.times(noisier.alpha() / at.alpha()).plus(noise.drawLike(x), fresh);
    }

    private Denoised early(
            Denoiser denoiser, Tensor x, NoiseLevel at, Tensor noised, NoiseLevel noisier) {
        Preconditioning prediction = Objects.requireNonNull(early);
        Tensor output = prediction.output(denoiser.denoise(x, at).x0(), x, at);
        return new Denoised(prediction.denoised(output, noised, noisier));
    }

    /** Where a step starts: the level itself if nothing is added. */
    private NoiseLevel noisier(List<NoiseLevel> levels, int i) {
        NoiseLevel at = levels.get(i);
        double growth = churn.growth(at, levels.size() - 1);
        if (growth == 0) {
            return at;
        }
        double ratio = at.noiseToSignal() * (1 + growth);
        return level == null ? Levels.between(at, levels.get(i + 1), ratio) : level.apply(ratio);
    }

    @Override
    public List<NoiseLevel> evaluations(List<NoiseLevel> levels) {
        List<NoiseLevel> evaluations = new ArrayList<>();
        for (int i = 0; i + 1 < levels.size(); i++) {
            NoiseLevel from = noisier(levels, i);
            List<NoiseLevel> step = each.evaluations(List.of(from, levels.get(i + 1)));
            evaluations.add(early == null ? from : levels.get(i));
            evaluations.addAll(step.subList(1, step.size()));
        }
        return evaluations;
    }
}
