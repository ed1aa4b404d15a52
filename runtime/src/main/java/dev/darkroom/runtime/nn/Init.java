package dev.darkroom.runtime.nn;

import dev.darkroom.runtime.Aten;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import java.util.Objects;

/**
 * How a parameter begins in a network that is not read from a file.
 *
 * @param mean of the distribution
 * @param std its standard deviation (of a truncated one, before it is cut); 0 for a constant, for
 *     which nothing is drawn
 * @param distribution what is drawn from
 */
public record Init(double mean, double std, Distribution distribution) {
    /** What values are drawn from. */
    public enum Distribution {
        /** The normal distribution. */
        NORMAL,
        /** The normal distribution, cut at two standard deviations on both sides. */
        TRUNCATED_NORMAL,
        /** All values of an interval alike: mean ± √3·std. */
        UNIFORM
    }

    /** All zeros: biases, and layers that are to begin as if they were not there. */
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

    /** Normal. */
    public Init(double mean, double std) {
        this(mean, std, Distribution.NORMAL);
    }

    /** Normal with mean 0. */
    public static Init normal(double std) {
        return new Init(0, std);
    }

    /** Normal with mean 0, cut at ±2 std, as ViT and DiT begin (Dosovitskiy et al., 2010.11929). */
    public static Init truncatedNormal(double std) {
        return new Init(0, std, Distribution.TRUNCATED_NORMAL);
    }

    /** Normal with a variance of 1 / inputs: keeps the size of activations. */
    public static Init fanIn(long inputs) {
        return normal(1 / Math.sqrt(inputs));
    }

    /**
     * Normal with a variance of 1 / (3·inputs), the spread of PyTorch's linear layers and
     * convolutions. Attention begins almost even, and an optimizer whose steps have one size, such
     * as Muon, turns small matrices sooner.
     */
    public static Init linear(long inputs) {
        return normal(1 / Math.sqrt(3.0 * inputs));
    }

    /** Uniform with a variance of 2 / (inputs + outputs) (Glorot and Bengio 2010, equation 16). */
    public static Init xavierUniform(long inputs, long outputs) {
        return new Init(0, Math.sqrt(2.0 / (inputs + outputs)), Distribution.UNIFORM);
    }

    /** Normal with a variance of 2 / inputs, for ReLUs (He et al., arXiv 1502.01852, eq. 10). */
    public static Init kaiming(long inputs) {
        return normal(Math.sqrt(2.0 / inputs));
    }

    /** Draws on the CPU in float32, so that a seed gives the same values everywhere. */
    Tensor draw(Shape shape, Generator generator) {
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

    /** The share of a normal distribution within two standard deviations. */
    private static final double ERF_OF_SQRT_2 = 0.954499736103642;

    /** Uniform from −1 to 1. */
    private static Tensor symmetric(Shape shape, Generator generator) {
        return Tensor.rand(shape, generator, DType.FLOAT32, Device.CPU).timesInPlace(2).minus(1);
    }
}
