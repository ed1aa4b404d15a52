package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Denoising score matching at geometric noise scales (Song and Ermon 2019, arXiv:1907.05600,
 * equations 5 and 6 with λ = sigma²): x = x0 + sigma·ε, and the network F stands for the score
 * F/sigma, so that it has the same size at every scale (Song et al. 2021, arXiv:2011.13456,
 * appendix C). The timestep of networks is the scale's index, 0 for the least, with fractions in
 * between.
 *
 * @param sigmaMin the least scale, &gt; 0
 * @param sigmaMax the greatest
 * @param scales how many, at least 2
 */
public record ScoreMatching(double sigmaMin, double sigmaMax, int scales) implements Objective {
    /**
     * What is random in a loss.
     *
     * @param scales each sample's scale, from 0
     * @param noise standard normal {@code [N,C,…]}
     */
    public record Draw(List<Integer> scales, Tensor noise) {}

    public ScoreMatching {
        if (!(sigmaMin > 0 && sigmaMin < sigmaMax) || Double.isInfinite(sigmaMax) || scales < 2) {
            throw new IllegalArgumentException(
                    "score matching needs 0 < sigmaMin < sigmaMax and at least 2 scales, not "
                            + sigmaMin
                            + ", "
                            + sigmaMax
                            + " and "
                            + scales);
        }
    }

    /** Returns the level of a scale; fractions lie in between, geometrically. */
    public NoiseLevel level(double scale) {
        double sigma = sigmaMin * Math.pow(sigmaMax / sigmaMin, scale / (scales - 1));
        return NoiseLevel.varianceExploding(sigma, scale);
    }

    /** Returns all scales, the greatest first, as samplers take them. */
    public List<NoiseLevel> levels() {
        return IntStream.range(0, scales).mapToObj(i -> level(scales - 1.0 - i)).toList();
    }

    /**
     * Returns the trained network for any sampler: x̂0 = x + sigma²·score (Tweedie's formula). At
     * levels with alpha ≠ 1, latents are divided by alpha.
     */
    public Denoiser denoiser(Network network) {
        return (x, at) -> {
            Edm.requireData(at);
            double sigma = at.noiseToSignal();
            double scale = Math.log(sigma / sigmaMin) / Math.log(sigmaMax / sigmaMin);
            double[] indices = new double[Math.toIntExact(x.size(0))];
            Arrays.fill(indices, scale * (scales - 1));
            Tensor exploding = x.dividedBy(at.alpha());
            Tensor output = network.predict(exploding, Batches.vector(x, indices)).to(x.dtype());
            return new Denoised(exploding.plus(output, sigma));
        };
    }

    @Override
    public Tensor loss(Network network, Tensor clean, Generator generator) {
        try (var scope = TensorScope.open()) {
            return scope.keep(loss(network, clean, draw(clean, generator)));
        }
    }

    /**
     * Returns the loss of a batch: ½·‖F + ε‖², for each element.
     *
     * @param clean data {@code [N,C,…]}
     * @return a scalar, float32
     */
    public Tensor loss(Network network, Tensor clean, Draw draw) {
        List<NoiseLevel> levels = draw.scales.stream().map(this::level).toList();
        try (var scope = TensorScope.open()) {
            Tensor sigma = Batches.column(clean, levels, NoiseLevel::sigma);
            Tensor x = clean.plus(draw.noise.times(sigma));
            Tensor output = network.predict(x, Batches.timesteps(x, levels));
            Tensor error = Batches.sameShape(output, x).to(DType.FLOAT32).plus(draw.noise);
            return scope.keep(error.square().mean().dividedBy(2));
        }
    }

    /** Draws scales, all alike, then noise. */
    Draw draw(Tensor clean, Generator generator) {
        List<Integer> indices =
                Arrays.stream(Batches.uniform(clean, generator))
                        .mapToObj(u -> (int) (u * scales))
                        .toList();
        return new Draw(indices, Batches.noise(clean, generator));
    }
}
