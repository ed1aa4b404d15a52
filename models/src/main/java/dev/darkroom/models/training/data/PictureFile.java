package dev.darkroom.models.training.data;

import dev.darkroom.models.pipeline.Picture;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.Raster;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

import javax.imageio.ImageIO;
import javax.imageio.stream.MemoryCacheImageInputStream;

/** Decodes pictures, onto white where they are transparent. */
final class PictureFile {
    private static final int WHITE = 255;

    private PictureFile() {}

    /**
     * Decodes a file.
     *
     * @throws IOException that names the file, if it is missing or broken
     */
    static Picture read(Path file) throws IOException {
        byte[] bytes = bytes(file);
        BufferedImage image;
        try {
            // A stream in memory: there is nothing to close if the decoder fails to.
            image = ImageIO.read(new MemoryCacheImageInputStream(new ByteArrayInputStream(bytes)));
        } catch (IOException | RuntimeException e) {
            // The JDK's decoders meet broken files with any exception.
            throw new DataException(file, "the picture is broken (" + e.getMessage() + ")", e);
        }
        if (image == null) {
            throw new DataException(file, "this is no picture that can be read", null);
        }
        return image.getColorModel().getColorSpace().getType() == ColorSpace.TYPE_GRAY
                ? grey(image)
                : coloured(image);
    }

    private static byte[] bytes(Path file) throws IOException {
        try {
            return Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            throw new DataException(file, "the picture is missing", e);
        }
    }

    private static Picture coloured(BufferedImage image) {
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

    /** Java takes greys for linear light and would brighten them; files mean what sRGB means. */
    private static Picture grey(BufferedImage image) {
        int width = image.getWidth();
        int height = image.getHeight();
        Raster raster = image.getRaster();
        int largest = (1 << image.getColorModel().getComponentSize(0)) - 1;
        boolean transparent = raster.getNumBands() > 1;
        var rgb = new byte[3 * width * height];
        for (int y = 0, at = 0; y < height; y++) {
            for (int x = 0; x < width; x++) {
                int alpha = transparent ? eightBit(raster.getSample(x, y, 1), largest) : WHITE;
                byte grey = onWhite(eightBit(raster.getSample(x, y, 0), largest), alpha);
                rgb[at++] = grey;
                rgb[at++] = grey;
                rgb[at++] = grey;
            }
        }
        return new Picture(width, height, rgb);
    }

    private static int eightBit(int value, int largest) {
        return (255 * value + largest / 2) / largest;
    }

    private static byte onWhite(int value, int alpha) {
        return (byte) ((value * alpha + WHITE * (255 - alpha) + 127) / 255);
    }
}
