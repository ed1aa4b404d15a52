package dev.darkroom.models.vae;

import dev.darkroom.runtime.Aten;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.function.UnaryOperator;

/**
 * The linear map from latents to colours that fits an autoencoder best: a rough picture with a
 * pixel for each of the latents, which costs next to nothing. It is found by least squares, from a
 * chart of colours that the autoencoder encodes once.
 */
final class LatentColours {
    private static final int COLOURS = 3;

    /** Values of each colour in the chart, evenly from −1 to 1. */
    private static final int LEVELS = 4;

    /** Mixtures of the colours in a row of the chart, and rows of them. */
    private static final int MIXTURES = 8;

    /** Latents from one mixture to the next; with more, the fit is hardly better. */
    private static final int DISTANCE = 2;

    /** What is added to the variance of each of the latents, so that there is one best map. */
    private static final double RIDGE = 1e-6;

    private final int channels;

    /** {@code [C+1,3]}, the constant last. */
    private final float[] weights;

    private LatentColours(int channels, float[] weights) {
        this.channels = channels;
        this.weights = weights;
    }

    /** Pixels along the side of the chart. */
    static int chartSize(int pixelsPerLatent) {
        return MIXTURES * DISTANCE * pixelsPerLatent;
    }

    /**
     * Finds the map of an autoencoder.
     *
     * @param encoder from a picture {@code [1,3,H,W]} to the mean of its latents, {@code [1,C,h,w]}
     *     in float32
     */
    static LatentColours of(int pixelsPerLatent, UnaryOperator<Tensor> encoder) {
        try (var scope = TensorScope.open()) {
            Tensor chart = chart(chartSize(pixelsPerLatent));
            return fit(encoder.apply(chart), Ops.averagePool(chart, pixelsPerLatent));
        }
    }

    /** All mixtures of red, green and blue, which run into each other: {@code [1,3,size,size]}. */
    private static Tensor chart(int size) {
        int mixtures = MIXTURES * MIXTURES;
        var values = new float[COLOURS * mixtures];
        for (int i = 0; i < values.length; i++) {
            int level = i % mixtures / (int) Math.pow(LEVELS, i / mixtures) % LEVELS;
            values[i] = 2f * level / (LEVELS - 1) - 1;
        }
        try (var scope = TensorScope.open()) {
            Tensor each = Tensor.copyOf(values, 1, COLOURS, MIXTURES, MIXTURES);
            return scope.keep(Ops.resizeBilinear(each, size, size));
        }
    }

    /**
     * Finds the map with the least mean squared error.
     *
     * @param latents {@code [1,C,h,w]}
     * @param colours of each {@code [1,3,h,w]}, from −1 to 1
     */
    static LatentColours fit(Tensor latents, Tensor colours) {
        int channels = (int) latents.size(1);
        try (var scope = TensorScope.open()) {
            Tensor x = withOne(rows(latents.to(Device.CPU).to(DType.FLOAT64))); // [h·w,C+1]
            Tensor y = rows(colours.to(Device.CPU).to(DType.FLOAT64)); // [h·w,3]
            Tensor ridge =
                    Tensor.eye(channels + 1, DType.FLOAT64, Device.CPU).times(RIDGE * x.size(0));
            Tensor weights =
                    Aten.tensor(
                            "aten::linalg_solve",
                            x.transpose(0, 1).matmul(x).plus(ridge),
                            x.transpose(0, 1).matmul(y),
                            true);
            return new LatentColours(channels, weights.to(DType.FLOAT32).toFloatArray());
        }
    }

    /**
     * Maps latents to colours.
     *
     * @param latents {@code [1,C,h,w]}
     * @return float32 {@code [1,3,h,w]}, about from −1 to 1
     * @throws IllegalArgumentException if the shape is another
     */
    Tensor of(Tensor latents) {
        if (latents.rank() != 4 || latents.size(0) != 1 || latents.size(1) != channels) {
            throw new IllegalArgumentException(
                    "latents must be [1," + channels + ",h,w], not " + latents.shape());
        }
        try (var scope = TensorScope.open()) {
            Tensor map = Tensor.copyOf(weights, channels + 1, COLOURS).to(latents.device());
            Tensor colours = withOne(rows(latents.to(DType.FLOAT32))).matmul(map); // [h·w,3]
            return scope.keep(
                    colours.transpose(0, 1).reshape(1, COLOURS, latents.size(2), latents.size(3)));
        }
    }

    /** {@code [1,C,h,w]} to {@code [h·w,C]}. */
    private static Tensor rows(Tensor x) {
        return x.permute(0, 2, 3, 1).reshape(x.size(2) * x.size(3), x.size(1));
    }

    /** {@code [N,C]} to {@code [N,C+1]}. */
    private static Tensor withOne(Tensor rows) {
        return Ops.pad(rows, 1, 0, 1);
    }
}
