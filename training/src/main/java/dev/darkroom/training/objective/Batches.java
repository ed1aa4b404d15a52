package dev.darkroom.training.objective;

import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;

/** Numbers and noise for the samples of a batch. */
final class Batches {
    private Batches() {}

    /** Draws standard normal noise for a batch on the CPU. */
    static Tensor noise(Tensor clean, Generator generator) {
        return Tensor.randn(clean.shape(), generator, DType.FLOAT32, Device.CPU)
                .to(clean.dtype())
                .to(clean.device());
    }

    /** Returns a uniform number in [0, 1) for each sample. */
    static double[] uniform(Tensor clean, Generator generator) {
        Shape batch = Shape.of(clean.size(0));
        return Tensor.rand(batch, generator, DType.FLOAT64, Device.CPU).toDoubleArray();
    }

    /** Returns a standard normal number for each sample. */
    static double[] normal(Tensor clean, Generator generator) {
        Shape batch = Shape.of(clean.size(0));
        return Tensor.randn(batch, generator, DType.FLOAT64, Device.CPU).toDoubleArray();
    }

    /** Numbers as a float32 tensor {@code [N]} on the batch's device. */
    static Tensor vector(Tensor batch, double... values) {
        return Tensor.copyOf(values, values.length).to(DType.FLOAT32).to(batch.device());
    }

    /** {@code [N]} as {@code [N,1,…]}, of the batch's type. */
    static Tensor column(Tensor batch, Tensor values) {
        return values.to(batch.dtype()).reshape(columns(batch, values.size(0)));
    }

    /** Returns a number for each sample, as {@code [N,1,…]}. */
    static Tensor column(Tensor batch, double... values) {
        return Tensor.copyOf(values, columns(batch, values.length))
                .to(batch.dtype())
                .to(batch.device());
    }

    /** Returns a number for each sample's level, as {@code [N,1,…]}. */
    static Tensor column(Tensor batch, List<NoiseLevel> levels, ToDoubleFunction<NoiseLevel> of) {
        return column(batch, levels.stream().mapToDouble(of).toArray());
    }

    /** Returns the timesteps of levels {@code [N]}. */
    static Tensor timesteps(Tensor batch, List<NoiseLevel> levels) {
        return vector(batch, levels.stream().mapToDouble(NoiseLevel::timestep).toArray());
    }

    /**
     * Returns a network's output.
     *
     * @throws IllegalStateException if it has not the shape of the batch
     */
    static Tensor sameShape(Tensor output, Tensor batch) {
        if (!output.shape().equals(batch.shape())) {
            throw new IllegalStateException(
                    "the network made "
                            + output.shape()
                            + " of a batch "
                            + batch.shape()
                            + "; one that predicts its variance too is trained by LearnedVariance");
        }
        return output;
    }

    private static long[] columns(Tensor batch, long samples) {
        if (samples != batch.size(0)) {
            throw new IllegalArgumentException(
                    samples + " numbers for a batch of shape " + batch.shape());
        }
        long[] shape = new long[batch.rank()];
        Arrays.fill(shape, 1);
        shape[0] = samples;
        return shape;
    }
}
