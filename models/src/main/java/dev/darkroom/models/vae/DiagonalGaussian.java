package dev.darkroom.models.vae;

import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

/**
 * The distribution of an image's latents: independent normal distributions (Kingma and Welling
 * 2014, "Auto-Encoding Variational Bayes").
 *
 * @param mean {@code [N,C,H,W]}
 * @param logVariance {@code [N,C,H,W]}, between −30 and 20
 */
public record DiagonalGaussian(Tensor mean, Tensor logVariance) {
    private static final double MIN_LOG_VARIANCE = -30;
    private static final double MAX_LOG_VARIANCE = 20;

    /**
     * Splits the encoder's output.
     *
     * @param moments means and log variances {@code [N,2C,H,W]}
     */
    public static DiagonalGaussian of(Tensor moments) {
        var halves = moments.chunk(2, 1); // two [N,C,H,W]
        return new DiagonalGaussian(
                halves.get(0), halves.get(1).clamp(MIN_LOG_VARIANCE, MAX_LOG_VARIANCE));
    }

    /** Returns the most likely latents: {@link #mean}. */
    public Tensor mode() {
        return mean;
    }

    /**
     * Samples latents.
     *
     * @param generator one on the CPU gives the same latents whatever the device
     * @return {@code [N,C,H,W]}
     */
    public Tensor sample(Generator generator) {
        try (var scope = TensorScope.open()) {
            var noise = Tensor.randn(mean.shape(), generator, mean.dtype(), Device.CPU);
            return scope.keep(sample(noise));
        }
    }

    /**
     * Samples latents by noise that was drawn.
     *
     * @param noise standard normal {@code [M,C,H,W]}, with M = N or one of them 1
     * @return {@code [max(N,M),C,H,W]}
     */
    public Tensor sample(Tensor noise) {
        try (var scope = TensorScope.open()) {
            var std = logVariance.times(0.5).exp();
            return scope.keep(mean.plus(std.times(noise.to(mean.dtype()).to(mean.device()))));
        }
    }

    /**
     * Computes the divergence KL(this ‖ N(0, 1)) of each image, in nats.
     *
     * @return {@code [N]}
     */
    public Tensor kl() {
        try (var scope = TensorScope.open()) {
            var terms = mean.square().plus(logVariance.exp()).minus(logVariance).minus(1);
            return scope.keep(terms.sum(false, 1, 2, 3).times(0.5));
        }
    }
}
