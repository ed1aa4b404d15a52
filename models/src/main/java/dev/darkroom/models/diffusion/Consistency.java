package dev.darkroom.models.diffusion;

/** What consistency models add to a denoiser. */
public final class Consistency {
    /** The data's standard deviation that latent consistency models assume. */
    private static final double SIGMA_DATA = 0.5;

    private Consistency() {}

    /**
     * A denoiser as a consistency function, which is the identity at time 0: c_skip·x + c_out·x̂0
     * (Luo et al. 2023, arXiv:2310.04378, equation 9).
     *
     * @param timestepScaling what the timestep is multiplied by in c_skip and c_out
     */
    public static Denoiser boundary(Denoiser denoiser, double timestepScaling) {
        return (x, at) -> {
            Denoised found = denoiser.denoise(x, at);
            double t = at.timestep() * timestepScaling;
            double skip = SIGMA_DATA * SIGMA_DATA / (t * t + SIGMA_DATA * SIGMA_DATA);
            double out = t / Math.hypot(t, SIGMA_DATA);
            return new Denoised(found.x0().times(out).plus(x, skip));
        };
    }
}
