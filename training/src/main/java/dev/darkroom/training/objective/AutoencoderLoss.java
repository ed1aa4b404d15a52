package dev.darkroom.training.objective;

import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.DiagonalGaussian;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

/**
 * How an autoencoder of latents is trained (Rombach et al. 2022, arXiv:2112.10752, section 3.1,
 * without perceptual and adversarial terms): a picture x is encoded, latents are drawn from the
 * posterior by the reparameterisation of Kingma and Welling (2014, arXiv:1312.6114, equation 10),
 * decoded to x̂, and
 *
 * <pre>loss = l1·|x̂ − x| + l2·(x̂ − x)² + gradient·|∇x̂ − ∇x| + kl·KL(posterior ‖ N(0, 1))</pre>
 *
 * each a mean over its elements; ∇ are the differences of neighbours, of rows and of columns, which
 * keep edges sharp (Mathieu et al. 2016, arXiv:1511.05440, equation 6, α = 1).
 *
 * @param options the weights of the terms
 */
public record AutoencoderLoss(Options options) {

    /**
     * The weights of the terms.
     *
     * @param l1 of the absolute difference, a mean over pixels and channels
     * @param l2 of the squared difference, a mean over pixels and channels
     * @param gradient of the absolute difference of neighbours' differences: the mean over rows
     *     plus that over columns
     * @param kl of the divergence in nats, a mean over the latents' elements
     */
    public record Options(double l1, double l2, double gradient, double kl) {
        /** L1 + L2 + 0.5 gradient + 0.0005 KL. */
        public static final Options DEFAULTS = new Options(1, 1, 0.5, 5e-4);

        /**
         * @throws IllegalArgumentException if a weight is negative or not finite, or no term
         *     compares pictures
         */
        public Options {
            for (double weight : new double[] {l1, l2, gradient, kl}) {
                if (!(weight >= 0) || Double.isInfinite(weight)) {
                    throw new IllegalArgumentException(
                            "weights of the autoencoder's loss are finite and from 0, not "
                                    + weight);
                }
            }
            if (l1 + l2 == 0) {
                throw new IllegalArgumentException(
                        "one of l1 and l2 must be above 0, or nothing holds the colours");
            }
        }
    }

    /**
     * Returns the loss of a batch, to call {@link Tensor#backward()} on.
     *
     * @param images {@code [N,C,H,W]} from −1 to 1, H and W multiples of the autoencoder's
     *     downsampling
     * @param generator of the posterior's draw
     * @return a number, float32 for a float32 autoencoder
     * @throws IllegalArgumentException if the shape is another, or H or W is 1 and the gradient
     *     counts
     */
    public Tensor loss(AutoencoderKl autoencoder, Tensor images, Generator generator) {
        try (var scope = TensorScope.open()) {
            var posterior = autoencoder.encode(images);
            var decoded = autoencoder.decode(posterior.sample(generator)); // [N,C,H,W]
            return scope.keep(
                    reconstruction(decoded, images).plus(divergence(posterior).times(options.kl)));
        }
    }

    private Tensor reconstruction(Tensor decoded, Tensor images) {
        var difference = decoded.minus(images);
        var loss =
                difference
                        .abs()
                        .mean()
                        .times(options.l1)
                        .plus(difference.square().mean().times(options.l2));
        return options.gradient == 0
                ? loss
                : loss.plus(
                        slope(difference, 2).plus(slope(difference, 3)).times(options.gradient));
    }

    /** |∇x̂ − ∇x| along a dimension; ∇ is linear, so that of the difference. */
    private static Tensor slope(Tensor difference, int dim) {
        long size = difference.size(dim) - 1;
        if (size == 0) {
            throw new IllegalArgumentException(
                    "the gradient term needs pictures of at least 2×2, not " + difference.shape());
        }
        return difference.narrow(dim, 1, size).minus(difference.narrow(dim, 0, size)).abs().mean();
    }

    private static Tensor divergence(DiagonalGaussian posterior) {
        var mean = posterior.mean();
        return posterior.kl().mean().dividedBy((double) mean.elements() / mean.size(0));
    }
}
