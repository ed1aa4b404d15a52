package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/**
 * How noisy latents are: x = alpha·x0 + sigma·ε.
 *
 * @param alpha scale of the data; 0 is pure noise
 * @param sigma scale of the noise; 0 is clean
 * @param timestep the time that the network takes as an input
 */
public record NoiseLevel(double alpha, double sigma, double timestep) {
    /** No noise at all. */
    public static final NoiseLevel CLEAN = new NoiseLevel(1, 0, 0);

    public NoiseLevel {
        boolean valid = alpha >= 0 && sigma >= 0 && alpha + sigma > 0;
        if (!valid || Double.isInfinite(alpha) || Double.isInfinite(sigma)) {
            throw new IllegalArgumentException(
                    "a noise level needs finite alpha and sigma ≥ 0 that are not both 0, not "
                            + alpha
                            + " and "
                            + sigma);
        }
        if (!Double.isFinite(timestep)) {
            throw new IllegalArgumentException("a timestep is a finite number, not " + timestep);
        }
    }

    /**
     * Data with the noise of this level: alpha·x0 + sigma·noise.
     *
     * @param x0 data {@code [N,C,…]}
     * @param noise standard normal, of the same shape
     */
    public Tensor noised(Tensor x0, Tensor noise) {
        return x0.times(alpha).plus(noise, sigma);
    }

    /** A level with alpha² + sigma² = 1. */
    public static NoiseLevel variancePreserving(double alphaBar, double timestep) {
        return new NoiseLevel(Math.sqrt(alphaBar), Math.sqrt(1 - alphaBar), timestep);
    }

    /** A level with alpha = 1. */
    public static NoiseLevel varianceExploding(double sigma, double timestep) {
        return new NoiseLevel(1, sigma, timestep);
    }

    /** A level of flow matching, with alpha = 1 − sigma. */
    public static NoiseLevel flow(double sigma, double timestep) {
        return new NoiseLevel(1 - sigma, sigma, timestep);
    }

    /**
     * The sigma of a flow after a shift towards more noise, factor·σ / (1 + (factor − 1)·σ) (Esser
     * et al. 2024, arXiv:2403.03206, equation 23).
     */
    public static double shifted(double sigma, double factor) {
        return factor * sigma / (1 + (factor - 1) * sigma);
    }

    /** Noise over data, sigma / alpha: the sigma of the same level in variance-exploding form. */
    public double noiseToSignal() {
        return sigma / alpha;
    }

    /** Half the logarithm of the signal-to-noise ratio, log(alpha / sigma). */
    public double lambda() {
        return Math.log(alpha) - Math.log(sigma);
    }

    /**
     * The variance of x here, given x at a cleaner level of the same forward process: sigma² −
     * (alpha/alpha')²·sigma'² (Kingma et al. 2021, arXiv:2107.00630, equation 21). For DDPM's
     * neighbouring timesteps that is β.
     */
    public double varianceGiven(NoiseLevel cleaner) {
        double ratio = alpha / cleaner.alpha;
        return Math.max(0, sigma * sigma - ratio * ratio * cleaner.sigma * cleaner.sigma);
    }
}
