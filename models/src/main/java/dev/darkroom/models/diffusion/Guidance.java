package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;

import java.util.List;

/**
 * Classifier-free guidance (Ho and Salimans 2022, arXiv:2207.12598, equation 6, in the convention
 * where scale 1 means none): x̂0 = unconditional + scale·(conditional − unconditional). For every
 * {@link Prediction} that equals the same sum of the network's outputs.
 *
 * @param scale at most 1 turns guidance off, as in diffusers
 * @param rescale how much of the conditional output's standard deviation is brought back, from 0 to
 *     1 (Lin et al. 2023, arXiv:2305.08891, equations 14 to 16)
 * @param from the least sigma / alpha at which guidance acts
 * @param to the greatest (Kynkäänniemi et al. 2024, arXiv:2404.07724, equation 5)
 */
public record Guidance(double scale, double rescale, double from, double to) {
    public Guidance {
        if (!Float.isFinite((float) scale)) {
            throw new IllegalArgumentException(
                    "the guidance scale is a number that float32 can hold, not " + scale);
        }
        if (!(rescale >= 0 && rescale <= 1)) {
            throw new IllegalArgumentException("guidance is rescaled by 0 to 1, not by " + rescale);
        }
        if (!(from >= 0 && from <= to)) {
            throw new IllegalArgumentException(
                    "guidance acts between two noise levels, the lesser first, not from "
                            + from
                            + " to "
                            + to);
        }
    }

    /** Guidance at every level, not rescaled. */
    public Guidance(double scale) {
        this(scale, 0, 0, Double.POSITIVE_INFINITY);
    }

    /** Whether it does anything at some level. */
    public boolean isActive() {
        return scale > 1;
    }

    /**
     * Guides a denoiser.
     *
     * @param conditional denoises {@code [N,…]}, asked where guidance does not act
     * @param both denoises {@code [2N,…]} in one evaluation of the network: the first N
     *     unconditionally, the other N conditionally
     * @param prediction what the network predicts: standard deviations are compared there
     */
    public Denoiser guide(Denoiser conditional, Denoiser both, Prediction prediction) {
        return (x, at) -> {
            if (!isActive() || at.noiseToSignal() < from || at.noiseToSignal() > to) {
                return conditional.denoise(x, at);
            }
            List<Denoised> halves = both.denoise(Ops.cat(0, x, x), at).halves();
            Denoised unconditional = halves.get(0);
            Denoised wanted = halves.get(1);
            Tensor difference = wanted.x0().minus(unconditional.x0());
            Tensor x0 = unconditional.x0().plus(difference, scale);
            if (rescale > 0) {
                x0 = rescaled(x0, wanted.x0(), x, at, prediction);
            }
            return new Denoised(x0, null, wanted.variance());
        };
    }

    /**
     * Guides a denoiser at every level.
     *
     * @param both see {@link #guide(Denoiser, Denoiser, Prediction)}
     * @throws IllegalStateException if this guidance does not act at every level
     */
    public Denoiser guide(Denoiser both, Prediction prediction) {
        if (!isActive() || from > 0 || to < Double.POSITIVE_INFINITY) {
            throw new IllegalStateException(
                    "guidance that is off at some levels needs a conditional denoiser for those");
        }
        return guide(both, both, prediction);
    }

    private Tensor rescaled(
            Tensor guided, Tensor wanted, Tensor x, NoiseLevel at, Prediction prediction) {
        Tensor output = prediction.output(guided, x, at);
        Tensor ratio = deviation(prediction.output(wanted, x, at)).dividedBy(deviation(output));
        return prediction.denoised(output.lerp(output.times(ratio), rescale), x, at);
    }

    /** Of each sample's elements, as {@code [N,1,…]}. */
    private static Tensor deviation(Tensor tensor) {
        var dims = new int[tensor.rank() - 1];
        for (int i = 0; i < dims.length; i++) {
            dims[i] = i + 1;
        }
        return tensor.variance(1, true, dims).sqrt();
    }
}
