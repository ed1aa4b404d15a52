package dev.darkroom.training.data;

import dev.darkroom.models.pipeline.Picture;

import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.ComponentColorModel;
import java.awt.image.Raster;
import java.nio.ByteBuffer;
import java.util.Arrays;

import javax.imageio.IIOException;

/** Pictures of decoded samples, which count as sRGB, onto white where they are transparent. */
final class Pixels {
    private static final int WHITE = 255;

    private Pixels() {}

    /** Returns a picture of an image, greys or colours, transparent or not, of 8 or 16 bits. */
    static Picture of(BufferedImage image) {
        // Samples are taken as they are: Java would convert greys from linear light, and colours
        // from their profile.
        return image.getColorModel() instanceof ComponentColorModel model
                ? ofSamples(image.getRaster(), model)
                : ofColours(image);
    }

    /**
     * Returns black where an image is opaque, white where it is transparent.
     *
     * @throws IIOException if it is opaque everywhere
     */
    static Picture transparency(BufferedImage image) throws IIOException {
        int width = image.getWidth();
        int height = image.getHeight();
        var grey = new byte[3 * width * height];
        var row = new int[width];
        boolean any = false;
        for (int y = 0, at = 0; y < height; y++) {
            image.getRGB(0, y, width, 1, row, 0, width);
            for (int argb : row) {
                int clear = WHITE - (argb >>> 24);
                any |= clear > 0;
                for (int i = 0; i < 3; i++) {
                    grey[at++] = (byte) clear;
                }
            }
        }
        if (!any) {
            throw new IIOException("no pixel is transparent; give a mask in a file of its own");
        }
        return new Picture(width, height, grey);
    }

    /** Reads a picture with a palette or packed pixels. */
    private static Picture ofColours(BufferedImage image) {
        int width = image.getWidth();
        int height = image.getHeight();
        var rgb = new byte[3 * width * height];
        var row = new int[width];
        for (int y = 0, at = 0; y < height; y++) {
            image.getRGB(0, y, width, 1, row, 0, width);
            for (int argb : row) {
                int alpha = argb >>> 24;
                rgb[at++] = onWhite(argb >> 16 & 0xff, alpha);
                rgb[at++] = onWhite(argb >> 8 & 0xff, alpha);
                rgb[at++] = onWhite(argb & 0xff, alpha);
            }
        }
        return new Picture(width, height, rgb);
    }

    private static Picture ofSamples(Raster raster, ColorModel model) {
        int width = raster.getWidth();
        int height = raster.getHeight();
        int bands = raster.getNumBands();
        int colours = model.getNumColorComponents();
        int largest = (1 << model.getComponentSize(0)) - 1;
        var rgb = new byte[3 * width * height];
        var row = new int[bands * width];
        for (int y = 0, at = 0; y < height; y++) {
            raster.getPixels(0, y, width, 1, row);
            for (int x = 0; x < row.length; x += bands) {
                int alpha = model.hasAlpha() ? eightBit(row[x + colours], largest) : WHITE;
                for (int i = 0; i < 3; i++) {
                    int sample = row[colours == 1 ? x : x + i];
                    rgb[at++] = onWhite(eightBit(sample, largest), alpha);
                }
            }
        }
        return new Picture(width, height, rgb);
    }

    /**
     * @param rgba red, green, blue and alpha of each pixel
     */
    static Picture of(int width, int height, ByteBuffer rgba) {
        var rgb = new byte[3 * width * height];
        for (int from = 0, at = 0; at < rgb.length; from += 4) {
            int alpha = rgba.get(from + 3) & 0xff;
            rgb[at++] = onWhite(rgba.get(from) & 0xff, alpha);
            rgb[at++] = onWhite(rgba.get(from + 1) & 0xff, alpha);
            rgb[at++] = onWhite(rgba.get(from + 2) & 0xff, alpha);
        }
        return new Picture(width, height, rgb);
    }

    private static int eightBit(int value, int largest) {
        return (int) ((255L * value + largest / 2) / largest);
    }

    private static byte onWhite(int value, int alpha) {
        return (byte) ((value * alpha + WHITE * (255 - alpha) + 127) / 255);
    }

    /** Returns a picture on a white one, which it may jut out of. */
    static Picture onWhite(Picture picture, int width, int height, int left, int top) {
        if (left == 0 && top == 0 && picture.width() == width && picture.height() == height) {
            return picture;
        }
        var rgb = new byte[3 * width * height];
        Arrays.fill(rgb, (byte) WHITE);
        int copied = Math.min(picture.width(), width - left);
        for (int y = 0; copied > 0 && y < Math.min(picture.height(), height - top); y++) {
            int from = 3 * y * picture.width();
            System.arraycopy(picture.rgb(), from, rgb, 3 * ((top + y) * width + left), 3 * copied);
        }
        return new Picture(width, height, rgb);
    }

    /**
     * Returns a picture of inks as Adobe stores them, inverted: 255 is none.
     *
     * @param raster cyan, magenta, yellow and black, or luma, two of chroma and black
     * @param isYcck which of them
     */
    static Picture ofCmyk(Raster raster, boolean isYcck) {
        int width = raster.getWidth();
        int height = raster.getHeight();
        var rgb = new byte[3 * width * height];
        var row = new int[4 * width];
        for (int y = 0, at = 0; y < height; y++) {
            raster.getPixels(0, y, width, 1, row);
            for (int x = 0; x < row.length; x += 4) {
                int red = row[x];
                int green = row[x + 1];
                int blue = row[x + 2];
                if (isYcck) {
                    // JFIF's conversion (ITU-T T.871, 7), and its complement: these are inks
                    int cb = row[x + 1] - 128;
                    int cr = row[x + 2] - 128;
                    red = 255 - clamp(row[x] + 1.402 * cr);
                    green = 255 - clamp(row[x] - 0.344136 * cb - 0.714136 * cr);
                    blue = 255 - clamp(row[x] + 1.772 * cb);
                }
                rgb[at++] = product(red, row[x + 3]);
                rgb[at++] = product(green, row[x + 3]);
                rgb[at++] = product(blue, row[x + 3]);
            }
        }
        return new Picture(width, height, rgb);
    }

    private static int clamp(double value) {
        return Math.clamp(Math.round(value), 0, 255);
    }

    private static byte product(int light, int black) {
        return (byte) ((light * black + 127) / 255);
    }
}
