package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Arrays;

/**
 * EDM (Karras et al. 2022, arXiv:2206.00364, table 1): x = x0 + sigma·ε with log-normal sigma, and
 * a network within a preconditioned denoiser. The timestep of networks is ln(sigma)/4.
 *
 * @param sigmaData standard deviation of the data
 * @param mean of ln sigma
 * @param deviation of ln sigma
 */
public record Edm(double sigmaData, double mean, double deviation) implements Objective {
    /**
     * What is random in a loss.
     *
     * @param sigma each sample's {@code [N]}
     * @param noise standard normal {@code [N,C,…]}
     */
    public record Draw(Tensor sigma, Tensor noise) {}

    public Edm {
        if (!(sigmaData > 0 && deviation > 0) || !Double.isFinite(sigmaData + mean + deviation)) {
            throw new IllegalArgumentException(
                    "EDM needs sigmaData > 0, a mean of ln sigma and its deviation > 0, not "
                            + sigmaData
                            + ", "
                            + mean
                            + " and "
                            + deviation);
        }
    }

    /** Returns the paper's distribution of ln sigma, −1.2 ± 1.2. */
    public Edm(double sigmaData) {
        this(sigmaData, -1.2, 1.2);
    }

    /**
     * Returns the denoiser D = c_skip·x + c_out·F(c_in·x, c_noise) (equation 7).
     *
     * @param x noisy data {@code [N,C,…]}
     * @param sigma each sample's {@code [N]}
     */
    public Tensor denoised(Network network, Tensor x, Tensor sigma) {
        Tensor total = sigma.square().plus(sigmaData * sigmaData);
        Tensor skip = total.reciprocal().times(sigmaData * sigmaData);
        Tensor out = sigma.times(sigmaData).times(total.rsqrt());
        return preconditioned(network, x, sigma, sigmaData, skip, out);
    }

    /**
     * Returns the trained network for any sampler: at levels with alpha ≠ 1, latents are divided by
     * alpha.
     */
    public Denoiser denoiser(Network network) {
        return (x, at) -> {
            requireData(at);
            double[] sigma = new double[Math.toIntExact(x.size(0))];
            Arrays.fill(sigma, at.noiseToSignal());
            Tensor exploding = x.dividedBy(at.alpha());
            return new Denoised(denoised(network, exploding, Batches.vector(x, sigma)));
        };
    }

    @Override
    public Tensor loss(Network network, Tensor clean, Generator generator) {
        try (var scope = TensorScope.open()) {
            return scope.keep(loss(network, clean, draw(clean, generator)));
        }
    }

    /**
     * Returns the loss of a batch (equation 2, weighted by 1/c_out²).
     *
     * @param clean data {@code [N,C,…]}
     * @return a scalar, float32
     */
    public Tensor loss(Network network, Tensor clean, Draw draw) {
        try (var scope = TensorScope.open()) {
            Tensor sigma = draw.sigma;
            Tensor x = clean.plus(draw.noise.times(Batches.column(clean, sigma)));
            Tensor estimate = Batches.sameShape(denoised(network, x, sigma), x);
            Tensor squares = sigma.square();
            Tensor weight =
                    squares.plus(sigmaData * sigmaData)
                            .dividedBy(squares.times(sigmaData * sigmaData));
            return scope.keep(Distance.SQUARED.between(estimate, clean).times(weight).mean());
        }
    }

    /** Draws ln sigma, then noise. */
    Draw draw(Tensor clean, Generator generator) {
        double[] sigma =
                Arrays.stream(Batches.normal(clean, generator))
                        .map(z -> Math.exp(mean + deviation * z))
                        .toArray();
        return new Draw(Batches.vector(clean, sigma), Batches.noise(clean, generator));
    }

    /**
     * c_skip·x + c_out·F(c_in·x, c_noise), with c_in and c_noise of table 1.
     *
     * @param skip {@code [N]}
     * @param out {@code [N]}
     */
    static Tensor preconditioned(
            Network network, Tensor x, Tensor sigma, double sigmaData, Tensor skip, Tensor out) {
        Tensor in = sigma.square().plus(sigmaData * sigmaData).rsqrt();
        Tensor output = network.predict(x.times(Batches.column(x, in)), sigma.log().times(0.25));
        return x.times(Batches.column(x, skip)).plus(output.times(Batches.column(x, out)));
    }

    /** Refuses pure noise, which has no sigma in variance-exploding form. */
    static void requireData(NoiseLevel at) {
        if (at.alpha() == 0) {
            throw new IllegalArgumentException(
                    "a network trained on x0 + sigma·ε can't start from pure noise (alpha = 0):"
                            + " sample along levels with alpha = 1");
        }
    }
}
