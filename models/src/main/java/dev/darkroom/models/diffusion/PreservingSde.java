package dev.darkroom.models.diffusion;

/**
 * The SDEs whose alpha is exp(−½·∫β), with β(t) = least + t·(greatest − least).
 *
 * @param sub whether sigma is 1 − alpha² rather than its root
 */
record PreservingSde(double least, double greatest, boolean sub) implements Sde {
    PreservingSde {
        if (!(least >= 0 && least <= greatest && greatest > 0) || Double.isInfinite(greatest)) {
            throw new IllegalArgumentException(
                    "beta grows from 0 or more, not from " + least + " to " + greatest);
        }
    }

    private double beta(double t) {
        return least + t * (greatest - least);
    }

    /** ∫β from 0 to t. */
    private double integral(double t) {
        return t * (least + t * (greatest - least) / 2);
    }

    @Override
    public NoiseLevel level(double t) {
        double variance = -Math.expm1(-integral(t)); // 1 − alpha²
        return new NoiseLevel(
                Math.exp(-integral(t) / 2), sub ? variance : Math.sqrt(variance), TIMESTEPS * t);
    }

    @Override
    public double drift(double t) {
        return -beta(t) / 2;
    }

    @Override
    public double diffusion(double t) {
        return Math.sqrt(beta(t) * (sub ? -Math.expm1(-2 * integral(t)) : 1));
    }
}
