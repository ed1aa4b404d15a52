package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

/** The preconditioning of a network whose output has the other sign. */
record NegatedPreconditioning(Preconditioning positive) implements Preconditioning {
    @Override
    public double scale(NoiseLevel at) {
        return positive.scale(at);
    }

    @Override
    public Tensor denoised(Tensor output, Tensor x, NoiseLevel at) {
        return positive.denoised(output.negated(), x, at);
    }

    @Override
    public Tensor output(Tensor x0, Tensor x, NoiseLevel at) {
        return positive.output(x0, x, at).negated();
    }

    @Override
    public Tensor noise(Tensor output, Tensor x, NoiseLevel at) {
        return positive.noise(output.negated(), x, at);
    }

    @Override
    public boolean isFlow() {
        return positive.isFlow();
    }
}
