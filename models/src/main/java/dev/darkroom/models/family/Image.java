package dev.darkroom.models.family;

import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

/**
 * A picture or a mask that a request brings with it. Two are equal only if they are the same one.
 *
 * @param channels 3 for a picture (red, green, blue), 1 for a mask
 * @param height in pixels
 * @param width in pixels
 * @param values from 0 to 1, plane by plane, row by row {@code [C,H,W]}
 */
@SuppressWarnings("ArrayRecordComponent") // a raw buffer; copies would double a picture's memory
public record Image(int channels, int height, int width, float[] values) {
    private static final int COLOURS = 3;

    /**
     * Checks the values.
     *
     * @throws IllegalArgumentException if there are more or fewer than the sizes say, or one is not
     *     from 0 to 1
     */
    public Image {
        if ((channels != 1 && channels != COLOURS)
                || height < 1
                || width < 1
                || values.length != (long) channels * height * width) {
            throw new IllegalArgumentException(
                    channels
                            + " channels of "
                            + width
                            + "×"
                            + height
                            + " pixels are no image of "
                            + values.length
                            + " values; it has 3 channels, or 1 for a mask");
        }
        for (float value : values) {
            if (!(value >= 0 && value <= 1)) {
                throw new IllegalArgumentException(
                        "the values of an image are from 0 to 1, not " + value);
            }
        }
    }

    /**
     * Copies a tensor.
     *
     * @param image float32 {@code [C,H,W]} or {@code [1,C,H,W]} from 0 to 1
     */
    public static Image of(Tensor image) {
        Shape shape = image.shape();
        int first = shape.rank() - COLOURS;
        if (first < 0 || first > 1 || first == 1 && shape.size(0) != 1) {
            throw new IllegalArgumentException("an image is [C,H,W], not " + shape);
        }
        return new Image(
                (int) shape.size(first),
                (int) shape.size(first + 1),
                (int) shape.size(first + 2),
                image.toFloatArray());
    }

    /** Its size. */
    public Size size() {
        return new Size(height, width);
    }

    /**
     * Scales it to cover a size and cuts what is over on both sides, without aliasing.
     *
     * @return float32 {@code [1,C,H,W]} from 0 to 1, on the CPU
     */
    public Tensor covering(Size wanted) {
        try (var scope = TensorScope.open()) {
            Tensor image = Tensor.copyOf(values, 1, channels, height, width);
            Size cover = wanted.coveredBy(size());
            if (!cover.equals(size())) {
                image = Ops.resizeAntialiased(image, cover.height(), cover.width()).clamp(0, 1);
            }
            return scope.keep(
                    image.narrow(2, (cover.height() - wanted.height()) / 2, wanted.height())
                            .narrow(3, (cover.width() - wanted.width()) / 2, wanted.width())
                            .contiguous());
        }
    }
}
