package dev.darkroom.models.family;

import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Objects;

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
    private static final float WHITE = 255;

    /** As many as are read from a file. */
    private static final long MOST_PIXELS = 178_956_970;

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
     * Scales it to cover a size and cuts what is over on both sides, as diffusers' {@code
     * VaeImageProcessor} with {@code resize_mode="crop"}: by Pillow's Lanczos filter, in 8 bits.
     *
     * @return float32 {@code [1,C,H,W]} from 0 to 1, on the CPU
     * @throws IllegalArgumentException if it is so narrow that it would be huge before it is cut
     */
    public Tensor covering(Size wanted) {
        boolean wider = (long) wanted.width() * height > (long) width * wanted.height();
        var cover =
                wider
                        ? new Size(scaled(height, wanted.width(), width), wanted.width())
                        : new Size(wanted.height(), scaled(width, wanted.height(), height));
        try (var scope = TensorScope.open()) {
            return scope.keep(
                    scaledTo(cover, Resampling.LANCZOS)
                            .narrow(2, cover.height() / 2 - wanted.height() / 2, wanted.height())
                            .narrow(3, cover.width() / 2 - wanted.width() / 2, wanted.width())
                            .contiguous());
        }
    }

    private static int scaled(int side, int to, int from) {
        return (int) Math.min((long) side * to / from, Integer.MAX_VALUE);
    }

    /**
     * Scales it, whatever becomes of its ratio, as {@code VaeImageProcessor} does by itself.
     *
     * @param filter diffusers' {@code resample}
     * @return float32 {@code [1,C,H,W]} from 0 to 1, on the CPU
     * @throws IllegalArgumentException if that is larger than any picture
     */
    public Tensor scaledTo(Size wanted, Resampling filter) {
        Objects.requireNonNull(filter, "filter");
        if (wanted.equals(size())) {
            return Tensor.copyOf(values, 1, channels, height, width);
        }
        if (wanted.pixels() > MOST_PIXELS) {
            throw new IllegalArgumentException(
                    "a picture of "
                            + size()
                            + " pixels would be scaled to "
                            + wanted
                            + ", which is too much; crop it first");
        }
        int pixels = height * width;
        int scaled = wanted.height() * wanted.width();
        var result = new float[channels * scaled];
        var plane = new byte[pixels];
        for (int channel = 0; channel < channels; channel++) {
            for (int i = 0; i < pixels; i++) {
                plane[i] = (byte) Math.round(values[channel * pixels + i] * WHITE);
            }
            byte[] made = filter.scaled(plane, size(), wanted);
            for (int i = 0; i < scaled; i++) {
                result[channel * scaled + i] = (made[i] & 0xff) / WHITE;
            }
        }
        return Tensor.copyOf(result, 1, channels, wanted.height(), wanted.width());
    }
}
