package dev.darkroom.models.diffusion.guidance;

import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

/** Filters along an axis, as matrices that are computed in double. */
public final class AxisFilter {
    private static final int MOST = 4096;

    private AxisFilter() {}

    /**
     * A convolution whose input is reflected at the ends.
     *
     * @param kernel of odd length
     * @return {@code [size][size]}
     */
    static double[][] convolution(int size, double[] kernel) {
        var rows = new double[size][size];
        for (int i = 0; i < size; i++) {
            for (int k = 0; k < kernel.length; k++) {
                rows[i][reflected(i + k - kernel.length / 2, size)] += kernel[k];
            }
        }
        return rows;
    }

    private static int reflected(int i, int size) {
        int last = size - 1;
        int inside = i;
        while (inside < 0 || inside > last) {
            inside = last == 0 ? 0 : inside < 0 ? -inside : 2 * last - inside;
        }
        return inside;
    }

    /**
     * A Gaussian blur, which reaches three deviations far, and no farther than the axis.
     *
     * @param size at least 1
     * @param sigma its deviation, above 0; infinite for the mean
     * @param like a tensor with the type and device of the result
     * @return {@code [size,size]}
     */
    public static Tensor gaussian(int size, double sigma, Tensor like) {
        if (size < 1 || size > MOST || !(sigma > 0)) {
            throw new IllegalArgumentException(
                    "a blur needs a size of 1 to 4096 and a deviation above 0, not "
                            + size
                            + " and "
                            + sigma);
        }
        if (Double.isInfinite(sigma)) {
            return Tensor.full(Shape.of(size, size), 1.0 / size, like.dtype(), like.device());
        }
        int reach = (int) Math.min(Math.ceil(3 * sigma), size - 1);
        var kernel = new double[2 * reach + 1];
        double sum = 0;
        for (int i = 0; i < kernel.length; i++) {
            kernel[i] = Math.exp(-0.5 * Math.pow((i - reach) / sigma, 2));
            sum += kernel[i];
        }
        for (int i = 0; i < kernel.length; i++) {
            kernel[i] /= sum;
        }
        return tensor(convolution(size, kernel), like);
    }

    static Tensor tensor(double[][] rows, Tensor like) {
        int size = rows.length;
        double[] values = new double[size * size];
        for (int i = 0; i < size; i++) {
            System.arraycopy(rows[i], 0, values, i * size, size);
        }
        return Tensor.copyOf(values, size, size).to(like.dtype()).to(like.device());
    }
}
