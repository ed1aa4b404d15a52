package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Gradients;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * How likely data are under a denoiser: the probability-flow ODE leads them to noise, whose density
 * is known, and its divergence says how densities change on the way (the instantaneous change of
 * variables: Chen et al. 2018, arXiv:1806.07366, theorem 1; Song et al. 2021, arXiv:2011.13456,
 * equation 39).
 *
 * <p>With x/alpha as y and ln(sigma/alpha) as u, the ODE is dy/du = y − x̂0, and the logarithm of
 * the density falls by D − tr ∂x̂0/∂y in du. Heun's method takes both from level to level.
 */
public final class Likelihood {
    private Likelihood() {}

    /**
     * The logarithm of the density of x at the last of some levels, in nats. With noise at the
     * first level that hides the data, the density there is that of normal latents, of the variance
     * that data of variance 1 have.
     *
     * @param denoiser which gradients can be computed through
     * @param x data at the last level {@code [N,…]}; left as they are
     * @param levels of any form, the noisiest first, each less noisy than the one before, with data
     *     and noise in all
     * @param probes random vectors by which traces are estimated (Hutchinson 1990; Grathwohl et al.
     *     2018, arXiv:1810.01367), each for the whole way; 0 for exact traces, which take a
     *     backward pass for each of the D elements of a sample
     * @param noise is asked for the probes
     * @return {@code [N]}
     * @throws IllegalArgumentException if the levels are others
     */
    public static Tensor logDensity(
            Denoiser denoiser, Tensor x, List<NoiseLevel> levels, int probes, NoiseSource noise) {
        requireLevels(levels, probes);
        try (var scope = TensorScope.open()) {
            var way = new Way(denoiser, x, probes(x, probes, noise));
            NoiseLevel last = levels.getLast();
            Tensor y = x.dividedBy(last.alpha()).flatten(1, -1); // [N,D]
            Tensor gained = Tensor.zeros(y.dtype(), y.size(0)).to(y.device()); // [N]
            for (int i = levels.size() - 1; i > 0; i--) {
                NoiseLevel at = levels.get(i);
                NoiseLevel next = levels.get(i - 1);
                double du = Math.log(next.noiseToSignal() / at.noiseToSignal());
                try (var step = TensorScope.open()) {
                    Slope here = way.slope(y, at);
                    Slope there = way.slope(y.plus(here.value, du), next);
                    y = step.keep(y.plus(here.value.plus(there.value), du / 2));
                    gained = step.keep(gained.plus(here.trace.plus(there.trace), du / 2));
                }
            }
            NoiseLevel first = levels.getFirst();
            double deviation = Math.hypot(1, first.noiseToSignal());
            long dimensions = y.size(1);
            double constant =
                    Math.log(deviation) + Math.log(2 * Math.PI) / 2 + Math.log(last.alpha());
            Tensor normal = y.dividedBy(deviation).square().sum(false, 1).dividedBy(-2); // [N]
            return scope.keep(normal.plus(-dimensions * constant).plus(gained));
        }
    }

    /**
     * The bits that each element of a sample takes on average: −log₂ p / D. For pictures whose 256
     * values were scaled to [−1, 1], add log₂ 127.5 for bits for each of their values.
     *
     * @param logDensity of samples, in nats {@code [N]}
     * @param dimensions D, the elements of a sample
     */
    public static double bitsPerDimension(Tensor logDensity, long dimensions) {
        if (dimensions < 1) {
            throw new IllegalArgumentException(
                    "a sample has at least one element, not " + dimensions);
        }
        try (var scope = TensorScope.open()) {
            return -logDensity.mean().item() / dimensions / Math.log(2);
        }
    }

    private static void requireLevels(List<NoiseLevel> levels, int probes) {
        Walk.requireLevels(levels);
        Levels.requireNoise("A likelihood", levels);
        Levels.requireDataEverywhere("A likelihood", levels);
        for (int i = 1; i < levels.size(); i++) {
            if (levels.get(i).lambda() <= levels.get(i - 1).lambda()) {
                throw new IllegalArgumentException(
                        "a likelihood needs levels each less noisy than the one before, but "
                                + levels.get(i - 1)
                                + " is followed by "
                                + levels.get(i));
            }
        }
        if (probes < 0) {
            throw new IllegalArgumentException("there are 0 probes or more, not " + probes);
        }
    }

    /** Elements of −1 or 1, {@code [N,D]} each. */
    private static List<Tensor> probes(Tensor x, int count, NoiseSource noise) {
        List<Tensor> probes = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Tensor positive = noise.drawLike(x).ge(0).to(x.dtype());
            probes.add(positive.times(2).minus(1).flatten(1, -1));
        }
        return probes;
    }

    /**
     * What changes in du.
     *
     * @param value dy/du {@code [N,D]}
     * @param trace of its Jacobian {@code [N]}
     */
    private record Slope(Tensor value, Tensor trace) {}

    /**
     * The ODE.
     *
     * @param probes none for exact traces
     */
    private record Way(Denoiser denoiser, Tensor x, List<Tensor> probes) {
        /** The slope at y {@code [N,D]}. */
        Slope slope(Tensor y, NoiseLevel at) {
            try (var mode = Mode.GRAD.enter()) {
                Tensor leaf = y.detach().copy().requiresGrad(true);
                Tensor latents = leaf.times(at.alpha()).reshape(x.shape().toArray());
                Tensor x0 = denoiser.denoise(latents, at).x0().flatten(1, -1);
                Tensor trace = y.sum(false, 1).times(0);
                for (Tensor probe : probes) {
                    Tensor product = gradient(x0, probe, leaf).times(probe); // [N,D]
                    trace = trace.plus(product.sum(false, 1), 1.0 / probes.size());
                }
                for (int i = 0; probes.isEmpty() && i < y.size(1); i++) {
                    Tensor unit = Tensor.zeros(y.shape(), y.dtype(), y.device());
                    unit.select(1, i).fillInPlace(1);
                    trace = trace.plus(gradient(x0, unit, leaf).select(1, i));
                }
                return new Slope(leaf.minus(x0).detach(), trace.detach().negated().plus(y.size(1)));
            }
        }

        private static Tensor gradient(Tensor output, Tensor weights, Tensor leaf) {
            if (!output.requiresGrad()) {
                throw new IllegalArgumentException(
                        "a likelihood needs a denoiser that gradients can be computed through, and"
                                + " this one's estimate depends on nothing");
            }
            @Nullable Tensor gradient =
                    Gradients.of(
                                    List.of(output),
                                    Collections.singletonList(weights),
                                    List.of(leaf),
                                    true)
                            .getFirst();
            return gradient == null ? leaf.times(0) : gradient;
        }
    }
}
