package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/**
 * The preconditioning of EDM: the network sees latents of deviation 1 and predicts what is left of
 * x0 without c_skip·x, divided by c_out (Karras et al. 2022, arXiv:2206.00364, table 1, "ours"). It
 * is {@link Prediction#V_PREDICTION} for data in units of their deviation, with the other sign.
 *
 * @param deviation σ_data, above 0
 */
record EdmPreconditioning(double deviation) implements Preconditioning {
    EdmPreconditioning {
        if (!(deviation > 0) || Double.isInfinite(deviation)) {
            throw new IllegalArgumentException("sigma_data is above 0, not " + deviation);
        }
    }

    @Override
    public double scale(NoiseLevel at) {
        return Math.hypot(at.sigma(), at.alpha() * deviation);
    }

    @Override
    public Tensor denoised(Tensor output, Tensor x, NoiseLevel at) {
        return output.times(out(at)).plus(x, skip(at));
    }

    @Override
    public Tensor output(Tensor x0, Tensor x, NoiseLevel at) {
        return x0.plus(x, -skip(at)).dividedBy(out(at));
    }

    /** c_skip, the share of x in x̂0. */
    private double skip(NoiseLevel at) {
        double scale = scale(at);
        return at.alpha() * deviation * deviation / (scale * scale);
    }

    /** c_out. */
    private double out(NoiseLevel at) {
        return at.sigma() * deviation / scale(at);
    }
}
