package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/**
 * What a network predicts, and how that relates to x, x0 and ε at a noise level.
 *
 * <p>Networks of the first three kinds are trained on variance-preserving latents. At a level of
 * any other scale, they see x divided by its scale √(alpha² + sigma²).
 */
public enum Prediction implements Preconditioning {
    /** The noise ε (Ho et al. 2020, arXiv:2006.11239, equation 12). */
    EPSILON {
        @Override
        public Tensor denoised(Tensor output, Tensor x, NoiseLevel at) {
            if (at.alpha() == 0) {
                throw new IllegalArgumentException(
                        "a network that predicts epsilon can't start from pure noise (zero terminal"
                                + " SNR): turn rescale_betas_zero_snr off");
            }
            return x.plus(output, -at.sigma()).dividedBy(at.alpha());
        }

        @Override
        public Tensor output(Tensor x0, Tensor x, NoiseLevel at) {
            return x.plus(x0, -at.alpha()).dividedBy(at.sigma());
        }

        @Override
        public Tensor noise(Tensor output, Tensor x, NoiseLevel at) {
            return output;
        }

        @Override
        public Tensor denoised(Tensor output, Tensor x, Tensor alpha, Tensor sigma) {
            return x.minus(sigma.times(output)).dividedBy(alpha);
        }

        @Override
        public Tensor noise(Tensor output, Tensor x, Tensor alpha, Tensor sigma) {
            return output;
        }

        @Override
        public Tensor target(Tensor x0, Tensor noise, Tensor alpha, Tensor sigma) {
            return noise;
        }
    },

    /** alpha·ε − sigma·x0 (Salimans and Ho 2022, arXiv:2202.00512, appendix D). */
    V_PREDICTION {
        @Override
        public Tensor denoised(Tensor output, Tensor x, NoiseLevel at) {
            double scale = scale(at);
            return output.times(-at.sigma() / scale).plus(x.dividedBy(scale * scale / at.alpha()));
        }

        @Override
        public Tensor output(Tensor x0, Tensor x, NoiseLevel at) {
            double scale = scale(at);
            return x.times(at.alpha() / (scale * scale)).minus(x0).times(scale / at.sigma());
        }

        @Override
        public Tensor noise(Tensor output, Tensor x, NoiseLevel at) {
            double scale = scale(at);
            return output.times(at.alpha() / scale).plus(x, at.sigma() / (scale * scale));
        }

        @Override
        public Tensor denoised(Tensor output, Tensor x, Tensor alpha, Tensor sigma) {
            return alpha.times(x).minus(sigma.times(output));
        }

        @Override
        public Tensor noise(Tensor output, Tensor x, Tensor alpha, Tensor sigma) {
            return alpha.times(output).plus(sigma.times(x));
        }

        @Override
        public Tensor target(Tensor x0, Tensor noise, Tensor alpha, Tensor sigma) {
            return noise.times(alpha).minus(x0.times(sigma));
        }
    },

    /** The data x0. */
    SAMPLE {
        @Override
        public Tensor denoised(Tensor output, Tensor x, NoiseLevel at) {
            return output;
        }

        @Override
        public Tensor output(Tensor x0, Tensor x, NoiseLevel at) {
            return x0;
        }

        @Override
        public Tensor denoised(Tensor output, Tensor x, Tensor alpha, Tensor sigma) {
            return output;
        }

        @Override
        public Tensor noise(Tensor output, Tensor x, Tensor alpha, Tensor sigma) {
            return x.minus(alpha.times(output)).dividedBy(sigma);
        }

        @Override
        public Tensor target(Tensor x0, Tensor noise, Tensor alpha, Tensor sigma) {
            return x0;
        }
    },

    /**
     * The flow's velocity ε − x0, at levels with alpha + sigma = 1 (Liu et al. 2022,
     * arXiv:2209.03003, equation 1, with time reversed).
     */
    FLOW {
        @Override
        public Tensor denoised(Tensor output, Tensor x, NoiseLevel at) {
            requireFlow(at);
            return x.plus(output, -at.sigma());
        }

        @Override
        public Tensor output(Tensor x0, Tensor x, NoiseLevel at) {
            requireFlow(at);
            return x.minus(x0).dividedBy(at.sigma());
        }

        @Override
        public Tensor noise(Tensor output, Tensor x, NoiseLevel at) {
            requireFlow(at);
            return x.plus(output, at.alpha());
        }

        @Override
        public Tensor denoised(Tensor output, Tensor x, Tensor alpha, Tensor sigma) {
            return x.minus(sigma.times(output));
        }

        @Override
        public Tensor noise(Tensor output, Tensor x, Tensor alpha, Tensor sigma) {
            return x.plus(alpha.times(output));
        }

        @Override
        public Tensor target(Tensor x0, Tensor noise, Tensor alpha, Tensor sigma) {
            return noise.minus(x0);
        }

        @Override
        public double scale(NoiseLevel at) {
            return 1;
        }

        @Override
        public boolean isFlow() {
            return true;
        }

        private void requireFlow(NoiseLevel at) {
            if (!Levels.isFlow(at)) {
                throw new IllegalArgumentException(
                        "a network that predicts the flow's velocity needs levels with alpha +"
                                + " sigma = 1, not "
                                + at);
            }
        }
    };

    /**
     * The data x̂0 of a batch whose samples have levels of their own, each with the scale {@link
     * #scale} 1.
     *
     * @param output {@code [N,C,…]}
     * @param x what the network was shown {@code [N,C,…]}
     * @param alpha each sample's {@code [N,1,…]}
     * @param sigma each sample's {@code [N,1,…]}
     */
    public abstract Tensor denoised(Tensor output, Tensor x, Tensor alpha, Tensor sigma);

    /** The noise ε̂ of such a batch; see {@link #denoised(Tensor, Tensor, Tensor, Tensor)}. */
    public abstract Tensor noise(Tensor output, Tensor x, Tensor alpha, Tensor sigma);

    /**
     * What a network learns to predict.
     *
     * @param alpha each sample's {@code [N,1,…]}
     * @param sigma each sample's {@code [N,1,…]}
     */
    public abstract Tensor target(Tensor x0, Tensor noise, Tensor alpha, Tensor sigma);

    @Override
    public double scale(NoiseLevel at) {
        return Math.hypot(at.alpha(), at.sigma());
    }
}
