package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Aten;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import java.util.Objects;

/**
 * How a parameter is initialised in a network that is not read from a file.
 *
 * @param mean of the distribution
 * @param std its standard deviation (of a truncated one, before it is truncated); 0 for a constant,
 *     for which nothing is sampled
 * @param distribution that values are sampled from
 */
public record Init(double mean, double std, Distribution distribution) {
    /** The distributions that values are sampled from. */
    public enum Distribution {
        /** The normal distribution. */
        NORMAL,
        /** The normal distribution, truncated at two standard deviations on both sides. */
        TRUNCATED_NORMAL,
        /** The uniform distribution over mean ± √3·std. */
        UNIFORM
    }

    /** All zeros: biases, and layers that at first change nothing. */
    public static final Init ZEROS = new Init(0, 0);

    /** All ones: the scales of norms. */
    public static final Init ONES = new Init(1, 0);

    public Init {
        Objects.requireNonNull(distribution, "distribution");
        if (!(std >= 0) || !Double.isFinite(mean) || Double.isInfinite(std)) {
            throw new IllegalArgumentException(
                    "an initialisation has a finite mean and a finite std from 0, not "
                            + mean
                            + " and "
                            + std);
        }
    }

    /** Makes a normal distribution. */
    public Init(double mean, double std) {
        this(mean, std, Distribution.NORMAL);
    }

    /** Returns a normal distribution with mean 0. */
    public static Init normal(double std) {
        return new Init(0, std);
    }

    /**
     * Returns a normal distribution with mean 0, truncated at ±2 std, as ViT's and DiT's
     * (Dosovitskiy et al., 2010.11929).
     */
    public static Init truncatedNormal(double std) {
        return new Init(0, std, Distribution.TRUNCATED_NORMAL);
    }

    /**
     * Returns a normal distribution with a variance of 1 / inputs, which keeps the size of
     * activations.
     */
    public static Init fanIn(long inputs) {
        return normal(1 / Math.sqrt(inputs));
    }

    /**
     * Returns a normal distribution with a variance of 1 / (3·inputs), that of PyTorch's linear
     * layers and convolutions. Attention begins almost even, and an optimizer whose steps have one
     * size, such as Muon, turns small matrices sooner.
     */
    public static Init linear(long inputs) {
        return normal(1 / Math.sqrt(3.0 * inputs));
    }

    /**
     * Returns a uniform distribution with a variance of 2 / (inputs + outputs) (Glorot and Bengio
     * 2010, equation 16).
     */
    public static Init xavierUniform(long inputs, long outputs) {
        return new Init(0, Math.sqrt(2.0 / (inputs + outputs)), Distribution.UNIFORM);
    }

    /**
     * Returns a normal distribution with a variance of 2 / inputs, for ReLUs (He et al., arXiv
     * 1502.01852, eq. 10).
     */
    public static Init kaiming(long inputs) {
        return normal(Math.sqrt(2.0 / inputs));
    }

    /** Samples on the CPU in float32, so that a seed gives the same values everywhere. */
    Tensor sample(Shape shape, Generator generator) {
        if (std == 0) {
            return Tensor.full(shape, mean, DType.FLOAT32, Device.CPU);
        }
        return switch (distribution) {
            case NORMAL ->
                    Tensor.randn(shape, generator, DType.FLOAT32, Device.CPU)
                            .timesInPlace(std)
                            .plus(mean);
            case UNIFORM -> symmetric(shape, generator).timesInPlace(Math.sqrt(3) * std).plus(mean);
            case TRUNCATED_NORMAL -> {
                // Uniform between the normal distribution's values at the cuts, and back.
                Tensor inside = symmetric(shape, generator).timesInPlace(ERF_OF_SQRT_2);
                yield Aten.tensor("aten::erfinv", inside)
                        .timesInPlace(Math.sqrt(2) * std)
                        .plus(mean);
            }
        };
    }

    /** The probability of a normal variable within two standard deviations: erf(√2). */
    private static final double ERF_OF_SQRT_2 = 0.954499736103642;

    /** Samples uniformly from −1 to 1. */
    private static Tensor symmetric(Shape shape, Generator generator) {
        return Tensor.rand(shape, generator, DType.FLOAT32, Device.CPU).timesInPlace(2).minus(1);
    }
}
