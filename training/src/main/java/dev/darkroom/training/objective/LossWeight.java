package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.Prediction;

/** How much a sample counts, by its noise and by what the network predicts. */
@FunctionalInterface
public interface LossWeight {
    /** Every sample counts 1 (Ho et al. 2020, arXiv:2006.11239, equation 14). */
    LossWeight UNIFORM = (prediction, at) -> 1;

    /** Returns the weight of the squared error of a prediction at a level. */
    double of(Prediction prediction, NoiseLevel at);

    /**
     * min(SNR, γ) for x0, over SNR for ε, over SNR + 1 for v: the same loss, whatever is predicted
     * (Hang et al. 2023, arXiv:2303.09556, section 3.4), with SNR = alpha²/sigma².
     *
     * @param gamma 5 there
     */
    static LossWeight minSnr(double gamma) {
        if (!(gamma > 0 && gamma < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException(
                    "min-SNR weighting needs a finite gamma > 0, not " + gamma);
        }
        return (prediction, at) -> {
            double snr = Math.pow(at.alpha() / at.sigma(), 2);
            return switch (prediction) {
                case SAMPLE -> Math.min(snr, gamma);
                case EPSILON -> Math.min(1, gamma / snr); // 1 where alpha is 0
                case V_PREDICTION -> Math.min(snr, gamma) / (snr + 1);
                case FLOW ->
                        throw new IllegalArgumentException(
                                "min-SNR weighting is defined for epsilon, v and x0, not for a"
                                        + " flow");
            };
        };
    }
}
