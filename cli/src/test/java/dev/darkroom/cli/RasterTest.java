package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.darkroom.models.pipeline.Picture;

import org.junit.jupiter.api.Test;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

class RasterTest {
    /** A picture all of whose bytes are the same. */
    private static Picture plain(int value, int width, int height) {
        var rgb = new byte[3 * width * height];
        Arrays.fill(rgb, (byte) value);
        return new Picture(width, height, rgb);
    }

    private static List<Picture> plain(int count) {
        return IntStream.rangeClosed(1, count).mapToObj(i -> plain(i, 1, 1)).toList();
    }

    private static int[][] reds(Raster raster) {
        var reds = new int[raster.height()][raster.width()];
        for (int y = 0; y < raster.height(); y++) {
            var row = new byte[3 * raster.width() + 1];
            Arrays.fill(row, (byte) 99);
            raster.copyRow(y, row, 1);
            assertEquals(99, row[0]);
            for (int x = 0; x < raster.width(); x++) {
                reds[y][x] = row[1 + 3 * x];
            }
        }
        return reds;
    }

    @Test
    void aPictureIsItsOwnRows() {
        var picture = new Picture(2, 2, new byte[] {1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 0, 0});
        assertArrayEquals(new int[][] {{1, 2}, {3, 4}}, reds(Raster.of(picture)));
    }

    @Test
    void aGridIsAsSquareAsItCanBe() {
        assertArrayEquals(new int[][] {{1}}, reds(Raster.grid(plain(1))));
        assertArrayEquals(new int[][] {{1, 2}}, reds(Raster.grid(plain(2))));
        assertArrayEquals(new int[][] {{1, 2}, {3, 4}}, reds(Raster.grid(plain(4))));
        assertArrayEquals(new int[][] {{1, 2, 3}, {4, 5, 0}}, reds(Raster.grid(plain(5))));
    }

    @Test
    void tilesKeepTheirRows() {
        var tiles = List.of(plain(1, 2, 2), plain(2, 2, 2));
        assertArrayEquals(new int[][] {{1, 1, 2, 2}, {1, 1, 2, 2}}, reds(Raster.tiled(tiles, 2)));
    }

    @Test
    void sheetsThatCannotBeAreRefused() {
        var different = List.of(plain(1, 1, 1), plain(1, 2, 1));
        assertThrows(IllegalArgumentException.class, () -> Raster.grid(different));
        var wide = Collections.nCopies(1 << 16, plain(1, 1 << 14, 1));
        assertThrows(IllegalArgumentException.class, () -> Raster.tiled(wide, 1 << 16));
    }
}
