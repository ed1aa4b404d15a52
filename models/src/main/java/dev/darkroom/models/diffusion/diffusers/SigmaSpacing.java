package dev.darkroom.models.diffusion.diffusers;

import java.util.Locale;

/** How the sigmas of a few steps lie between the greatest and the least. */
enum SigmaSpacing {
    /** Equally spaced in σ^(1/7) (Karras et al. 2022, arXiv:2206.00364, equation 5). */
    KARRAS {
        @Override
        double at(double u, double greatest, double least) {
            return karras(u, greatest, least, RHO);
        }
    },

    /** Equally spaced in log σ (Lu et al. 2022, arXiv:2206.00927, section 3.4). */
    EXPONENTIAL {
        @Override
        double at(double u, double greatest, double least) {
            double from = Math.log(greatest);
            return Math.exp(from + u * (Math.log(least) - from));
        }
    },

    /** Quantiles of the Beta(0.6, 0.6) distribution (Lee et al. 2024, arXiv:2407.12173). */
    BETA {
        @Override
        double at(double u, double greatest, double least) {
            return least + betaQuantile(1 - u) * (greatest - least);
        }
    };

    private static final double RHO = 7;
    private static final double SHAPE = 0.6;

    /** The name of diffusers' option. */
    String option() {
        return "use_" + name().toLowerCase(Locale.ROOT) + "_sigmas";
    }

    /**
     * A sigma.
     *
     * @param u where, from 0 for the greatest to 1 for the least
     */
    abstract double at(double u, double greatest, double least);

    /** Karras's with another exponent than 7. */
    static double karras(double u, double greatest, double least, double rho) {
        double from = Math.pow(greatest, 1 / rho);
        double to = Math.pow(least, 1 / rho);
        return Math.pow(from + u * (to - from), rho);
    }

    /** {@code steps} sigmas, greatest first. */
    double[] sigmas(int steps, double greatest, double least) {
        var sigmas = new double[steps];
        for (int i = 0; i < steps; i++) {
            sigmas[i] = at(steps == 1 ? 0 : (double) i / (steps - 1), greatest, least);
        }
        return sigmas;
    }

    /** Where the distribution function of Beta(0.6, 0.6), which is symmetric, reaches p. */
    private static double betaQuantile(double p) {
        if (p > 0.5) {
            return 1 - betaQuantile(1 - p);
        }
        double low = 0;
        double high = 0.5;
        double target = 2 * p * incompleteBeta(0.5);
        for (int i = 0; i < 60; i++) {
            double middle = (low + high) / 2;
            if (incompleteBeta(middle) < target) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return (low + high) / 2;
    }

    /** ∫₀ˣ (u(1 − u))^(a−1) du for x ≤ ½ by its power series: xᵃ Σ (1 − a)ₙ/n! · xⁿ/(a + n). */
    private static double incompleteBeta(double x) {
        double sum = 0;
        double term = 1;
        for (int n = 0; n < 60; n++) {
            sum += term / (SHAPE + n);
            term *= x * (n + 1 - SHAPE) / (n + 1);
        }
        return Math.pow(x, SHAPE) * sum;
    }
}
