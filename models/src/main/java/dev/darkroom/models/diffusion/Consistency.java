package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/** What consistency models add to a denoiser. */
public final class Consistency {
    /** The data's standard deviation that latent consistency models assume. */
    private static final double SIGMA_DATA = 0.5;

    private Consistency() {}

    /**
     * c_skip, the weight of x in a consistency function (Luo et al. 2023, arXiv:2310.04378,
     * equation 9).
     *
     * @param t the timestep, scaled
     */
    public static double skip(double t) {
        return SIGMA_DATA * SIGMA_DATA / (t * t + SIGMA_DATA * SIGMA_DATA);
    }

    /**
     * c_out, the weight of x̂0 in it.
     *
     * @param t the timestep, scaled
     */
    public static double out(double t) {
        return t / Math.hypot(t, SIGMA_DATA);
    }

    /**
     * A denoiser as a consistency function, which is the identity at time 0: c_skip·x + c_out·x̂0.
     *
     * @param timestepScaling what the timestep is multiplied by in c_skip and c_out
     */
    public static Denoiser boundary(Denoiser denoiser, double timestepScaling) {
        return (x, at) -> {
            double t = at.timestep() * timestepScaling;
            Tensor x0 = denoiser.denoise(x, at).x0();
            return new Denoised(x0.times(out(t)).plus(x, skip(t)));
        };
    }
}
