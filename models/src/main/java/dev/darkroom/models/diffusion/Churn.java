package dev.darkroom.models.diffusion;

/**
 * Noise that is added before each step (Karras et al. 2022, arXiv:2206.00364, algorithm 2).
 *
 * @param amount S_churn: shared out among the steps, each of which makes the noise greater by
 *     amount/steps of it, but by no more than √2 − 1
 * @param from S_tmin, the least noise-to-signal ratio at which noise is added
 * @param to S_tmax, the greatest one
 * @param scale S_noise, the deviation of what is added, 1 for as much as the level lacks
 */
public record Churn(double amount, double from, double to, double scale) {
    private static final double MOST = Math.sqrt(2) - 1;

    /** Checks the numbers. */
    public Churn {
        if (!(amount >= 0) || !(from >= 0) || !(to >= from) || !(scale >= 0)) {
            throw new IllegalArgumentException(
                    "churn is at least 0 between two noise levels from 0 on, with noise of a scale"
                            + " of at least 0, not "
                            + amount
                            + " from "
                            + from
                            + " to "
                            + to
                            + " with "
                            + scale);
        }
    }

    /** Churn at all levels. */
    public Churn(double amount) {
        this(amount, 0, Double.POSITIVE_INFINITY, 1);
    }

    /**
     * By how much the noise of a level grows.
     *
     * @return γ, 0 for not at all
     */
    double growth(NoiseLevel at, int steps) {
        double ratio = at.noiseToSignal();
        boolean within = at.alpha() > 0 && ratio >= from && ratio <= to;
        return within ? Math.min(amount / steps, MOST) : 0;
    }
}
