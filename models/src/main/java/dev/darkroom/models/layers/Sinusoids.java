package dev.darkroom.models.layers;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

/** Sines and cosines of geometrically spaced frequencies (Vaswani et al. 2017, section 3.5). */
public final class Sinusoids {
    private static final double LONGEST_PERIOD = 10_000;

    private Sinusoids() {}

    /**
     * Embeds numbers such as timesteps as vectors: cosines, then sines, of the number at {@code
     * channels} / 2 frequencies from 1 down. Frequencies and angles are rounded to float32 as
     * diffusers' are, whatever the network's type; functions are taken in float64, since their last
     * bits differ from one math library to the next and a timestep of 1000 turns them into a
     * difference of 6e-5.
     *
     * @param values {@code [N]}, of any type
     * @param channels an even number
     * @param frequencyShift 0 if the last frequency is just above 1/10000, 1 if it is 1/10000
     * @return float32 {@code [N,channels]}
     */
    public static Tensor embed(Tensor values, long channels, double frequencyShift) {
        requireVector(values, channels);
        long half = channels / 2;
        try (var scope = TensorScope.open()) {
            Tensor exponents =
                    count(half, values.device())
                            .times(-Math.log(LONGEST_PERIOD))
                            .dividedBy(half - frequencyShift);
            Tensor angles = angles(values, exponents);
            return scope.keep(Ops.cat(1, angles.cos(), angles.sin()).to(DType.FLOAT32));
        }
    }

    /**
     * Embeds guidance weights as vectors: sines, then cosines, of 1000·w at {@code channels} / 2
     * frequencies from 1 down to 1/10000 (Luo et al. 2023, arXiv:2310.04378, section 4.1, as
     * diffusers' latent consistency pipelines compute them). Rounded to float32 in diffusers'
     * order: at 1000·w the last bit of a frequency is a difference of 1e-3.
     *
     * @param weights w, the guidance scale less 1 {@code [N]}, of any type
     * @param channels an even number from 4
     * @return float32 {@code [N,channels]}
     */
    public static Tensor guidance(Tensor weights, long channels) {
        requireVector(weights, channels);
        long half = channels / 2;
        float step = (float) Math.log(LONGEST_PERIOD) / (half - 1);
        try (var scope = TensorScope.open()) {
            Tensor exponents = count(half, weights.device()).times(-step);
            Tensor angles = angles(weights.to(DType.FLOAT32).times(1000), exponents);
            return scope.keep(Ops.cat(1, angles.sin(), angles.cos()).to(DType.FLOAT32));
        }
    }

    private static void requireVector(Tensor values, long channels) {
        if (values.rank() != 1 || channels % 2 != 0) {
            throw new IllegalArgumentException(
                    "sinusoids: values "
                            + values.shape()
                            + " must have one dimension, and "
                            + channels
                            + " channels must be even");
        }
    }

    private static Tensor count(long size, Device device) {
        return Tensor.arange(0, size, 1, DType.FLOAT32, device);
    }

    /** Values {@code [N]} times the powers of e, rounded to float32: float64 {@code [N,half]}. */
    private static Tensor angles(Tensor values, Tensor exponents) {
        Tensor frequencies = exponents.to(DType.FLOAT64).exp().to(DType.FLOAT32);
        return values.to(DType.FLOAT32).unsqueeze(1).times(frequencies).to(DType.FLOAT64);
    }

    /**
     * Embeds the positions in a grid as vectors: half of the channels for the column, half for the
     * row, each sines, then cosines (MAE, He et al. 2021, as DiT and PixArt use it). Any grid is
     * stretched to the size that the network was trained with, so that a larger picture has finer
     * steps.
     *
     * @param width channels, a multiple of 4
     * @param base rows and columns of the grid trained with
     * @param interpolation divides the coordinates
     * @return float32 {@code [rows·columns,width]}, row by row
     */
    public static Tensor grid(
            long rows, long columns, long width, double base, double interpolation, Device device) {
        if (width % 4 != 0) {
            throw new IllegalArgumentException(
                    "a grid's positions need a width that is a multiple of 4, not " + width);
        }
        long half = width / 2;
        try (var scope = TensorScope.open()) {
            Tensor row = axis(rows, half, base, interpolation).unsqueeze(1);
            Tensor column = axis(columns, half, base, interpolation).unsqueeze(0);
            Tensor grid =
                    Ops.cat(
                            2,
                            column.expand(rows, columns, half),
                            row.expand(rows, columns, half)); // [rows,columns,D]
            return scope.keep(grid.reshape(rows * columns, width).to(device));
        }
    }

    /**
     * The sines and cosines of one coordinate, in float64 up to the end: {@code [size,channels]}.
     */
    private static Tensor axis(long size, long channels, double base, double interpolation) {
        int half = Math.toIntExact(channels / 2);
        var frequencies = new double[half];
        for (int i = 0; i < half; i++) {
            frequencies[i] = 1 / Math.pow(LONGEST_PERIOD, (double) i / half);
        }
        Tensor coordinates =
                Tensor.arange(0, size, 1, DType.FLOAT32, Device.CPU)
                        .dividedBy(size / base)
                        .dividedBy(interpolation)
                        .to(DType.FLOAT64);
        Tensor angles = coordinates.unsqueeze(1).times(Tensor.copyOf(frequencies, half));
        return Ops.cat(1, angles.sin(), angles.cos()).to(DType.FLOAT32);
    }
}
