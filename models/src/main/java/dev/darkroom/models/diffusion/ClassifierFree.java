package dev.darkroom.models.diffusion;

import dev.darkroom.runtime.Tensor;

import java.util.ArrayList;
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
public record ClassifierFree(double scale, double rescale, double from, double to)
        implements Guidance {
    private static final List<String> ALONE = List.of(Evaluator.CONDITIONAL);
    private static final List<String> BOTH =
            List.of(Evaluator.UNCONDITIONAL, Evaluator.CONDITIONAL);

    public ClassifierFree {
        requireScale(scale, rescale);
        if (!(from >= 0 && from <= to)) {
            throw new IllegalArgumentException(
                    "guidance acts between two noise levels, the lesser first, not from "
                            + from
                            + " to "
                            + to);
        }
    }

    /** Guidance at every level, not rescaled. */
    public ClassifierFree(double scale) {
        this(scale, 0);
    }

    /** Guidance at all noise levels, rescaled. */
    public ClassifierFree(double scale, double rescale) {
        this(scale, rescale, 0, Double.POSITIVE_INFINITY);
    }

    /**
     * Requires what all guidances by the unconditional estimate require.
     *
     * @throws IllegalArgumentException if the scale is not finite in float32, or guidance is not
     *     rescaled by 0 to 1
     */
    public static void requireScale(double scale, double rescale) {
        if (!Float.isFinite((float) scale)) {
            throw new IllegalArgumentException(
                    "the guidance scale is a number that float32 can hold, not " + scale);
        }
        if (!(rescale >= 0 && rescale <= 1)) {
            throw new IllegalArgumentException("guidance is rescaled by 0 to 1, not by " + rescale);
        }
    }

    @Override
    public List<List<String>> evaluations() {
        List<List<String>> evaluations = new ArrayList<>();
        if (scale <= 1 || from > 0 || to < Double.POSITIVE_INFINITY) {
            evaluations.add(ALONE);
        }
        if (scale > 1) {
            evaluations.add(BOTH);
        }
        return evaluations;
    }

    private boolean actsAt(NoiseLevel at) {
        return scale > 1 && at.noiseToSignal() >= from && at.noiseToSignal() <= to;
    }

    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        if (!actsAt(at)) {
            return evaluator.conditional(x, at);
        }
        List<Denoised> both = evaluator.denoise(x, at, BOTH);
        Tensor unconditional = both.get(0).x0();
        Tensor conditional = both.get(1).x0();
        Tensor x0 = unconditional.plus(conditional.minus(unconditional), scale);
        if (rescale > 0) {
            x0 = rescaled(rescale, x0, conditional, x, at, evaluator.prediction());
        }
        return new Denoised(x0, null, both.get(1).variance(), unconditional);
    }

    /**
     * Brings the standard deviation of the conditional output back, as {@link #rescaled(double,
     * Tensor, Tensor)}, for estimates of the data.
     *
     * @param share how much of it, from 0 to 1
     * @param guided x̂0 under guidance {@code [N,C,…]}
     * @param conditional x̂0 under the condition alone {@code [N,C,…]}
     * @param x the latents at {@code at} {@code [N,C,…]}
     * @return x̂0 {@code [N,C,…]}
     */
    public static Tensor rescaled(
            double share,
            Tensor guided,
            Tensor conditional,
            Tensor x,
            NoiseLevel at,
            Preconditioning prediction) {
        Tensor output = prediction.output(guided, x, at);
        return prediction.denoised(
                rescaled(share, output, prediction.output(conditional, x, at)), x, at);
    }

    /**
     * Brings the standard deviation of the conditional output back (Lin et al. 2023,
     * arXiv:2305.08891, equations 14 to 16).
     *
     * @param share how much of it, from 0 to 1
     * @param guided the network's output under guidance {@code [N,C,…]}
     * @param conditional its output under the condition alone {@code [N,C,…]}
     * @return {@code [N,C,…]}
     */
    public static Tensor rescaled(double share, Tensor guided, Tensor conditional) {
        Tensor ratio = deviation(conditional).dividedBy(deviation(guided));
        return guided.lerp(guided.times(ratio), share);
    }

    /** The standard deviation of each sample's elements, {@code [N,1,…]}. */
    private static Tensor deviation(Tensor tensor) {
        var dims = new int[tensor.rank() - 1];
        for (int i = 0; i < dims.length; i++) {
            dims[i] = i + 1;
        }
        return tensor.variance(1, true, dims).sqrt();
    }
}
