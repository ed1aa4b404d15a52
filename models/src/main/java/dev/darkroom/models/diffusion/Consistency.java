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

    /**
     * A network of Karras et al. 2022 as a consistency function, which is the identity at sigmaMin:
     * c_skip·x + c_out·F(c_in·x) (Song et al. 2023, arXiv:2303.01469, equation 5 and appendix C).
     *
     * @param denoiser gives what the network predicts, F, as its x̂0
     * @param sigmaData the data's standard deviation
     * @param clipping of the function's values
     */
    public static Denoiser boundary(
            Denoiser denoiser, double sigmaData, double sigmaMin, Clipping clipping) {
        return (x, at) -> {
            double above = at.sigma() - sigmaMin;
            double skip = sigmaData * sigmaData / (above * above + sigmaData * sigmaData);
            double out = above * sigmaData / Math.hypot(at.sigma(), sigmaData);
            // The network sees x over √(σ² + σ_data²), the deviation of noisy data.
            var seen = new NoiseLevel(sigmaData, at.sigma(), at.timestep());
            Tensor f = denoiser.denoise(x, seen).x0();
            return new Denoised(clipping.clip(f.times(out).plus(x, skip)));
        };
    }

    /**
     * A network of TrigFlow as a consistency function: cos(t)·x − sin(t)·F(x, t), at levels (cos t,
     * sin t) whose timestep is t (Lu and Song 2024, arXiv:2410.11081, equation 4).
     *
     * @param denoiser gives what the network predicts, F, as its x̂0
     */
    public static Denoiser trigonometric(Denoiser denoiser) {
        return (x, at) -> {
            double t = at.timestep();
            // cos is below 0 where t is π/2, rounded up.
            var seen = new NoiseLevel(Math.max(Math.cos(t), 0), Math.sin(t), t);
            Tensor f = denoiser.denoise(x, seen).x0();
            return new Denoised(x.times(Math.cos(t)).plus(f, -Math.sin(t)));
        };
    }
}
