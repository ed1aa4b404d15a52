package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/**
 * That of a network which predicts the score (Song et al. 2021, arXiv:2011.13456), for latents as
 * they are.
 *
 * @param scaled whether its output is −sigma times the score, which is the noise
 */
record ScorePreconditioning(boolean scaled) implements Preconditioning {
    @Override
    public double scale(NoiseLevel at) {
        return 1;
    }

    @Override
    public Tensor denoised(Tensor output, Tensor x, NoiseLevel at) {
        Tensor score = scaled ? output.dividedBy(-at.sigma()) : output;
        return Denoised.ofScore(score, x, at).x0();
    }

    @Override
    public Tensor output(Tensor x0, Tensor x, NoiseLevel at) {
        Tensor score = new Denoised(x0).score(x, at);
        return scaled ? score.times(-at.sigma()) : score;
    }

    @Override
    public Tensor noise(Tensor output, Tensor x, NoiseLevel at) {
        return scaled ? output : output.times(-at.sigma());
    }

    @Override
    public boolean tellsNoise() {
        return true;
    }
}
