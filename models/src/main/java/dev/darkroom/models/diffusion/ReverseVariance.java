package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;

/** The variance of DDPM's reverse step. */
public enum ReverseVariance {
    /** That of the step's posterior given x0 (Ho et al. 2020, arXiv:2006.11239, equation 7). */
    FIXED_SMALL,
    /** β, that of the forward step (section 3.2 there). */
    FIXED_LARGE,
    /** The network's output. */
    LEARNED,
    /**
     * Between the two fixed ones in the logarithm, where the network's output says (Nichol and
     * Dhariwal 2021, arXiv:2102.09672, equation 15).
     */
    LEARNED_RANGE;

    /**
     * Noise of this variance.
     *
     * @param noise standard normal {@code [N,C,…]}
     * @param posterior the posterior's variance
     * @param beta the forward step's variance
     * @param output the network's output for the variance {@code [N,C,…]}
     * @throws IllegalStateException if it is learned and the network has none
     */
    Tensor scale(Tensor noise, double posterior, double beta, @Nullable Tensor output) {
        double least = Math.max(posterior, 1e-20); // log(0) otherwise
        return switch (this) {
            case FIXED_SMALL -> noise.times(Math.sqrt(least));
            case FIXED_LARGE -> noise.times(Math.sqrt(beta));
            case LEARNED -> noise.times(required(output).sqrt());
            case LEARNED_RANGE -> {
                double low = Math.log(least);
                Tensor share = required(output).plus(1).dividedBy(2); // from −1…1 to 0…1
                Tensor logVariance = share.times(Math.log(beta) - low).plus(low);
                yield noise.times(logVariance.dividedBy(2).exp());
            }
        };
    }

    private Tensor required(@Nullable Tensor output) {
        if (output == null) {
            throw new IllegalStateException(
                    "the sampler wants a learned variance, but the network predicts none; use"
                            + " variance_type fixed_small");
        }
        return output;
    }
}
