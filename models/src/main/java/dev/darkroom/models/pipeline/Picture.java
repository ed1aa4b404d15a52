package dev.darkroom.models.pipeline;

import dev.darkroom.models.family.Finite;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.family.ModelException;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.awt.image.BufferedImage;

/**
 * A picture.
 *
 * @param width in pixels
 * @param height in pixels
 * @param rgb red, green and blue of each pixel, row by row
 */
@SuppressWarnings("ArrayRecordComponent") // a raw buffer; copies would double a picture's memory
public record Picture(int width, int height, byte[] rgb) {
    /** Checks the size. */
    public Picture {
        if (rgb.length != 3L * width * height) {
            throw new IllegalArgumentException(
                    width
                            + "×"
                            + height
                            + " pixels take "
                            + 3L * width * height
                            + " bytes, not "
                            + rgb.length);
        }
    }

    /**
     * A picture of an image.
     *
     * @param image numbers on the CPU from 0 to 1, {@code [3,H,W]}
     * @throws PipelineException if one is infinite or not a number
     */
    public static Picture of(Tensor image) {
        try {
            Finite.require(image, "the picture", "what made it may have overflowed");
        } catch (ModelException e) {
            throw new PipelineException(String.valueOf(e.getMessage()), e);
        }
        try (var scope = TensorScope.open()) {
            Tensor bytes = image.permute(1, 2, 0).times(255).round(); // [H,W,3]
            return new Picture(
                    (int) bytes.size(1), (int) bytes.size(0), bytes.to(DType.UINT8).toByteArray());
        }
    }

    /** A copy that a request can bring with it, see {@link dev.darkroom.models.family.Edit}. */
    public Image image() {
        int pixels = width * height;
        var values = new float[3 * pixels];
        for (int i = 0; i < values.length; i++) {
            values[i % 3 * pixels + i / 3] = (rgb[i] & 0xff) / 255f;
        }
        return new Image(3, height, width, values);
    }

    /** The luminance of its pixels as a mask (ITU-R BT.601, as Pillow's {@code convert("L")}). */
    public Image mask() {
        var values = new float[width * height];
        for (int i = 0, at = 0; i < values.length; i++, at += 3) {
            int luminance =
                    19595 * (rgb[at] & 0xff)
                            + 38470 * (rgb[at + 1] & 0xff)
                            + 7471 * (rgb[at + 2] & 0xff);
            values[i] = (luminance + 0x8000 >> 16) / 255f;
        }
        return new Image(1, height, width, values);
    }

    /** A copy for ImageIO and Swing, of type {@link BufferedImage#TYPE_INT_RGB}. */
    public BufferedImage toBufferedImage() {
        var image = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
        var row = new int[width];
        for (int y = 0, at = 0; y < height; y++) {
            for (int x = 0; x < width; x++, at += 3) {
                row[x] = (rgb[at] & 0xff) << 16 | (rgb[at + 1] & 0xff) << 8 | rgb[at + 2] & 0xff;
            }
            image.setRGB(0, y, width, 1, row, 0, width);
        }
        return image;
    }
}
