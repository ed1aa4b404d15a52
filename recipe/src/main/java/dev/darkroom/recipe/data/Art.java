package dev.darkroom.recipe.data;

import java.awt.image.BufferedImage;
import java.util.Arrays;

/**
 * An object cut out: pixels with transparency, cropped to what can be seen.
 *
 * @param width in pixels
 * @param height in pixels
 * @param argb {@code 0xAARRGGBB} row by row, not premultiplied
 */
public record Art(int width, int height, int[] argb) {
    /** Alpha from which a pixel counts as the object's. */
    static final int OPAQUE = 200;

    private static final int VISIBLE = 16;

    /**
     * Samples in a row or column of a pixel: the art is drawn at 0.8 to 0.95 of its size, for which
     * two keep edges smooth.
     */
    private static final int SAMPLES = 2;

    /** The art in a font's picture, without its empty margins. */
    public static Art of(BufferedImage picture) {
        int left = picture.getWidth();
        int right = 0;
        int top = picture.getHeight();
        int bottom = 0;
        for (int y = 0; y < picture.getHeight(); y++) {
            for (int x = 0; x < picture.getWidth(); x++) {
                if (picture.getRGB(x, y) >>> 24 >= VISIBLE) {
                    left = Math.min(left, x);
                    right = Math.max(right, x + 1);
                    top = Math.min(top, y);
                    bottom = Math.max(bottom, y + 1);
                }
            }
        }
        if (right <= left) {
            throw new IllegalArgumentException("an empty picture");
        }
        int width = right - left;
        int height = bottom - top;
        return new Art(width, height, picture.getRGB(left, top, width, height, null, 0, width));
    }

    int alpha(int index) {
        return argb[index] >>> 24;
    }

    /**
     * Draws the art onto a square picture of one colour.
     *
     * @param background {@code 0xRRGGBB}
     * @param side of the picture in pixels
     * @param scale the art's longer side as a share of the picture's
     * @param dx shift to the right as a share of the picture's side
     * @param dy shift down as a share of the picture's side
     */
    public BufferedImage onto(int background, int side, double scale, double dx, double dy) {
        double step =
                Math.max(width, height) / (scale * side); // pixels of the art in one of the picture
        double left = 0.5 * width - step * side * (0.5 + dx);
        double top = 0.5 * height - step * side * (0.5 + dy);
        var picture = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
        var sum = new double[4];
        for (int y = 0; y < side; y++) {
            for (int x = 0; x < side; x++) {
                Arrays.fill(sum, 0);
                for (int i = 0; i < SAMPLES * SAMPLES; i++) {
                    add(
                            left + step * (x + (i % SAMPLES + 0.5) / SAMPLES) - 0.5,
                            top + step * (y + (i / SAMPLES + 0.5) / SAMPLES) - 0.5,
                            sum);
                }
                picture.setRGB(x, y, over(background, sum));
            }
        }
        return picture;
    }

    /** Adds a bilinear sample: alpha, and red, green and blue times alpha. */
    private void add(double x, double y, double[] sum) {
        int x0 = (int) Math.floor(x);
        int y0 = (int) Math.floor(y);
        double fx = x - x0;
        double fy = y - y0;
        add(x0, y0, (1 - fx) * (1 - fy), sum);
        add(x0 + 1, y0, fx * (1 - fy), sum);
        add(x0, y0 + 1, (1 - fx) * fy, sum);
        add(x0 + 1, y0 + 1, fx * fy, sum);
    }

    private void add(int x, int y, double weight, double[] sum) {
        if (x < 0 || y < 0 || x >= width || y >= height) {
            return;
        }
        int pixel = argb[y * width + x];
        double alpha = weight * (pixel >>> 24) / 255 / (SAMPLES * SAMPLES);
        sum[0] += alpha;
        sum[1] += alpha * (pixel >> 16 & 0xff);
        sum[2] += alpha * (pixel >> 8 & 0xff);
        sum[3] += alpha * (pixel & 0xff);
    }

    private static int over(int background, double[] sum) {
        double rest = 1 - sum[0];
        int red = channel(sum[1] + rest * (background >> 16 & 0xff));
        int green = channel(sum[2] + rest * (background >> 8 & 0xff));
        int blue = channel(sum[3] + rest * (background & 0xff));
        return red << 16 | green << 8 | blue;
    }

    private static int channel(double value) {
        return Math.clamp(Math.round(value), 0, 255);
    }
}
