package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;

/**
 * What a {@link Denoiser} found.
 *
 * @param x0 the estimated data x̂0 {@code [N,C,…]}
 * @param epsilon the estimated noise, where it is not simply what is left of x without x0 (because
 *     x0 was clipped afterwards); null otherwise
 * @param variance the network's output for the variance, where it has one
 */
public record Denoised(Tensor x0, @Nullable Tensor epsilon, @Nullable Tensor variance) {
    public Denoised(Tensor x0) {
        this(x0, null, null);
    }

    /**
     * The estimated noise.
     *
     * @param x the latents that were denoised
     * @param at their level
     */
    public Tensor noise(Tensor x, NoiseLevel at) {
        return epsilon != null ? epsilon : remainder(x, at);
    }

    /** The noise that x holds if x0 is the data: (x − alpha·x0) / sigma. */
    Tensor remainder(Tensor x, NoiseLevel at) {
        return x.plus(x0, -at.alpha()).dividedBy(at.sigma());
    }

    /** The first and the second half of a batch. */
    List<Denoised> halves() {
        List<Tensor> data = x0.chunk(2, 0);
        List<Denoised> halves = new ArrayList<>(2);
        for (int i = 0; i < 2; i++) {
            halves.add(new Denoised(data.get(i), half(epsilon, i), half(variance, i)));
        }
        return halves;
    }

    private static @Nullable Tensor half(@Nullable Tensor tensor, int i) {
        return tensor == null ? null : tensor.chunk(2, 0).get(i);
    }
}
