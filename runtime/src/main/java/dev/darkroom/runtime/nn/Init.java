package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

/**
 * How a parameter begins in a network that is not read from a file: normally distributed.
 *
 * @param mean of the distribution
 * @param std its standard deviation; 0 for a constant, for which nothing is drawn
 */
public record Init(double mean, double std) {
    /** All zeros: biases, and layers that are to begin as if they were not there. */
    public static final Init ZEROS = new Init(0, 0);

    /** All ones: the scales of norms. */
    public static final Init ONES = new Init(1, 0);

    public Init {
        if (!(std >= 0) || !Double.isFinite(mean) || Double.isInfinite(std)) {
            throw new IllegalArgumentException(
                    "an initialisation has a finite mean and a finite std from 0, not "
                            + mean
                            + " and "
                            + std);
        }
    }

    /** Normal with mean 0. */
    public static Init normal(double std) {
        return new Init(0, std);
    }

    /** Normal with a variance of 1 / inputs: keeps the size of activations. */
    public static Init fanIn(long inputs) {
        return normal(1 / Math.sqrt(inputs));
    }

    /** Draws on the CPU in float32, so that a seed gives the same values everywhere. */
    Tensor draw(Shape shape, Generator generator) {
        return std == 0
                ? Tensor.full(shape, mean, DType.FLOAT32, Device.CPU)
                : Tensor.randn(shape, generator, DType.FLOAT32, Device.CPU)
                        .timesInPlace(std)
                        .plus(mean);
    }
}
