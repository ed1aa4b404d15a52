package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.Objects;

/**
 * A network as a denoiser: scales what it sees, splits off the variance and turns its prediction
 * into x̂0.
 */
public final class NetworkDenoiser implements Denoiser {
    private final Network network;
    private final Preconditioning prediction;
    private final @Nullable NoiseLevel end;

    public NetworkDenoiser(Network network, Preconditioning prediction) {
        this(network, prediction, null);
    }

    private NetworkDenoiser(Network network, Preconditioning prediction, @Nullable NoiseLevel end) {
        this.network = network;
        this.prediction = prediction;
        this.end = end;
    }

    /** {@inheritDoc} Another network than a {@link FlowMapNetwork} refuses when it is asked. */
    @Override
    public Denoiser towards(NoiseLevel end) {
        return new NetworkDenoiser(network, prediction, Objects.requireNonNull(end, "end"));
    }

    /**
     * {@inheritDoc}
     *
     * @throws IllegalStateException if the network's output has neither the shape of x nor twice
     *     its channels
     */
    @Override
    public Denoised denoise(Tensor x, NoiseLevel at) {
        Tensor input = x.dividedBy(prediction.scale(at));
        Tensor timestep = timestep(at, x);
        Tensor output =
                (end == null
                                ? network.predict(input, timestep)
                                : network.predict(input, timestep, timestep(end, x)))
                        .to(x.dtype());
        @Nullable Tensor variance = null;
        if (output.shape().equals(doubled(x.shape()))) {
            variance = output.narrow(1, x.size(1), x.size(1));
            output = output.narrow(1, 0, x.size(1)); // [N,2C,…] → [N,C,…]
        } else if (!output.shape().equals(x.shape())) {
            throw new IllegalStateException(
                    "the network made " + output.shape() + " of latents " + x.shape());
        }
        // Clean latents say nothing about ε without the output.
        boolean told = at.sigma() == 0 || prediction.tellsNoise();
        @Nullable Tensor epsilon = told ? prediction.noise(output, x, at) : null;
        return new Denoised(prediction.denoised(output, x, at), epsilon, variance);
    }

    /** {@code [1]}. */
    private static Tensor timestep(NoiseLevel at, Tensor x) {
        return Tensor.full(Shape.of(1), at.timestep(), DType.FLOAT32, x.device());
    }

    private static Shape doubled(Shape shape) {
        long[] sizes = shape.toArray();
        sizes[1] *= 2;
        return Shape.of(sizes);
    }
}
