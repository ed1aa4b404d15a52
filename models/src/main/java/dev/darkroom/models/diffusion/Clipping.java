package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Aten;
import dev.darkroom.runtime.Tensor;

/** Keeps x̂0 in the range of the data. */
@FunctionalInterface
public interface Clipping {
    /** Leaves x̂0 as it is. */
    Clipping NONE =
            new Clipping() {
                @Override
                public Tensor clip(Tensor x0) {
                    return x0;
                }

                @Override
                public Denoiser around(Denoiser denoiser) {
                    return denoiser;
                }
            };

    /**
     * Clips x̂0.
     *
     * @param x0 {@code [N,C,…]}
     */
    Tensor clip(Tensor x0);

    /** Clips to ±{@code limit}. */
    static Clipping range(double limit) {
        if (!(limit > 0)) {
            throw new IllegalArgumentException("clip_sample_range must be > 0, not " + limit);
        }
        return x0 -> x0.clamp(-limit, limit);
    }

    /**
     * Dynamic thresholding (Saharia et al. 2022, arXiv:2205.11487, section 2.3): clips each sample
     * to ±s and divides by s, where s is a quantile of its magnitudes, at least 1.
     *
     * @param ratio which quantile, from 0 to 1
     * @param limit the greatest s, above 0; if it is below 1, s is that limit
     */
    static Clipping dynamic(double ratio, double limit) {
        if (!(ratio >= 0 && ratio <= 1) || !(limit > 0)) {
            throw new IllegalArgumentException(
                    "dynamic thresholding needs a ratio from 0 to 1 and a sample_max_value > 0, not"
                            + " "
                            + ratio
                            + " and "
                            + limit);
        }
        return x0 -> {
            Tensor flat = x0.flatten(1, -1); // [N,C·…]
            Tensor s = Aten.tensor("quantile.scalar", flat.abs(), ratio, 1, true).clamp(1, limit);
            return flat.minimum(s).maximum(s.negated()).dividedBy(s).reshape(x0.shape().toArray());
        };
    }

    /** A denoiser whose x̂0 is clipped; the noise that it estimated stays as it was. */
    default Denoiser around(Denoiser denoiser) {
        return new Denoiser() {
            @Override
            public Denoised denoise(Tensor x, NoiseLevel at) {
                Denoised denoised = denoiser.denoise(x, at);
                return new Denoised(
                        clip(denoised.x0()),
                        denoised.noise(x, at),
                        denoised.variance(),
                        denoised.unconditional());
            }

            @Override
            public Denoiser towards(NoiseLevel end) {
                return around(denoiser.towards(end));
            }
        };
    }
}
