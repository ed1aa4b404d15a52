package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Evaluator;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.List;

/**
 * Frequency-decoupled guidance (Sadat et al. 2025, arXiv:2506.19713, algorithm 2) with the two
 * levels of a Laplacian pyramid: low frequencies, such as composition and colours, have a weight of
 * their own, less than that of details. The pyramid is linear, so that of the step between both
 * estimates serves.
 *
 * @param scale of the high frequencies; at most 1 turns guidance off
 * @param low the scale of the low frequencies, 0 or more
 */
public record FrequencyDecoupled(double scale, double low) implements Guidance {
    /** The pyramid's kernel (Burt and Adelson 1983). */
    private static final double[] KERNEL = {1 / 16.0, 4 / 16.0, 6 / 16.0, 4 / 16.0, 1 / 16.0};

    public FrequencyDecoupled {
        ClassifierFree.requireScale(scale, 0);
        if (!(low >= 0) || Double.isInfinite(low)) {
            throw new IllegalArgumentException(
                    "the scale of low frequencies is 0 or more, not " + low);
        }
    }

    @Override
    public List<List<String>> evaluations() {
        return Outputs.evaluations(scale, Outputs.PAIR);
    }

    @Override
    public Denoised denoise(Tensor x, NoiseLevel at, Evaluator evaluator) {
        if (scale <= 1) {
            return evaluator.conditional(x, at);
        }
        List<Denoised> both = evaluator.denoise(x, at, Outputs.PAIR);
        try (var scope = TensorScope.open()) {
            Tensor unconditional = both.get(0).x0();
            Tensor step = both.get(1).x0().minus(unconditional);
            Tensor x0 = unconditional.plus(step, scale).plus(lowPass(step), low - scale);
            return new Denoised(scope.keep(x0), null, both.get(1).variance(), unconditional);
        }
    }

    /** What a smaller picture keeps: {@code [N,C,…,H,W]} blurred, halved, doubled and blurred. */
    static Tensor lowPass(Tensor picture) {
        Tensor rows = lowPass((int) picture.size(-2), picture);
        Tensor columns = lowPass((int) picture.size(-1), picture);
        return rows.matmul(picture).matmul(columns.transpose(0, 1));
    }

    private static Tensor lowPass(int size, Tensor like) {
        int half = Math.max(1, size / 2);
        double[][] blur = AxisFilter.convolution(size, KERNEL);
        double[][] low =
                product(product(blur, resized(half, size)), product(resized(size, half), blur));
        return AxisFilter.tensor(low, like);
    }

    /** Bilinear interpolation along an axis, between the centres of pixels. */
    private static double[][] resized(int from, int to) {
        var resized = new double[to][from];
        for (int i = 0; i < to; i++) {
            double at = Math.max(0, (i + 0.5) * from / to - 0.5);
            int below = (int) at;
            int above = Math.min(below + 1, from - 1);
            resized[i][below] += 1 - (at - below);
            resized[i][above] += at - below;
        }
        return resized;
    }

    private static double[][] product(double[][] a, double[][] b) {
        var product = new double[a.length][b[0].length];
        for (int i = 0; i < a.length; i++) {
            for (int k = 0; k < b.length; k++) {
                for (int j = 0; j < b[0].length; j++) {
                    product[i][j] += a[i][k] * b[k][j];
                }
            }
        }
        return product;
    }
}
