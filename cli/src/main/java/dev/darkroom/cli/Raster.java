package dev.darkroom.cli;

import dev.darkroom.models.pipeline.Picture;

import java.util.Arrays;
import java.util.List;

/**
 * Rows of pixels, made when they are asked for, so that a large sheet takes no memory of its own.
 */
interface Raster {
    /** Pixels in a row. */
    int width();

    /** Number of rows. */
    int height();

    /**
     * Copies a row.
     *
     * @param y from 0 at the top
     * @param rgb takes red, green and blue of each pixel, from {@code offset} on
     */
    void copyRow(int y, byte[] rgb, int offset);

    /** A picture's own rows. */
    static Raster of(Picture picture) {
        return tiled(List.of(picture), 1);
    }

    /** Pictures side by side in about as many columns as rows. */
    static Raster grid(List<Picture> pictures) {
        return tiled(pictures, (int) Math.ceil(Math.sqrt(pictures.size())));
    }

    /**
     * Pictures of one size, row by row; cells that are left over are black.
     *
     * @throws IllegalArgumentException if the sizes differ or the sheet is too wide or high for a
     *     file
     */
    static Raster tiled(List<Picture> pictures, int columns) {
        int width = pictures.getFirst().width();
        int height = pictures.getFirst().height();
        for (Picture picture : pictures) {
            if (picture.width() != width || picture.height() != height) {
                throw new IllegalArgumentException("pictures of a sheet must have the same size");
            }
        }
        long sheetWidth = (long) width * columns;
        long sheetHeight = (long) height * Math.ceilDiv(pictures.size(), columns);
        if (3 * sheetWidth >= Integer.MAX_VALUE || sheetHeight > Integer.MAX_VALUE) {
            throw new IllegalArgumentException(
                    "a sheet of "
                            + sheetWidth
                            + "×"
                            + sheetHeight
                            + " pixels is too large for a file");
        }
        return new Raster() {
            @Override
            public int width() {
                return (int) sheetWidth;
            }

            @Override
            public int height() {
                return (int) sheetHeight;
            }

            @Override
            public void copyRow(int y, byte[] rgb, int offset) {
                int bytes = 3 * width;
                for (int column = 0; column < columns; column++) {
                    int index = y / height * columns + column;
                    int to = offset + column * bytes;
                    if (index < pictures.size()) {
                        byte[] pixels = pictures.get(index).rgb();
                        System.arraycopy(pixels, y % height * bytes, rgb, to, bytes);
                    } else {
                        Arrays.fill(rgb, to, to + bytes, (byte) 0);
                    }
                }
            }
        };
    }
}
