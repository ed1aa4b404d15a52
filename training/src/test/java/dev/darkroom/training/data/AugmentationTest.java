package dev.darkroom.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.pipeline.Picture;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.SplittableRandom;

class AugmentationTest {
    @TempDir private Path folder;

    private static Picture apply(Augmentation augmentation, Picture picture, long seed) {
        return augmentation.change().apply(picture, new SplittableRandom(seed));
    }

    /** Red is 10, green the column, blue the row. */
    private static Picture ramp(int width, int height) {
        var rgb = new byte[3 * width * height];
        for (int i = 0; i < width * height; i++) {
            rgb[3 * i] = 10;
            rgb[3 * i + 1] = (byte) (i % width);
            rgb[3 * i + 2] = (byte) (i / width);
        }
        return new Picture(width, height, rgb);
    }

    private static int at(Picture picture, int x, int y, int channel) {
        return picture.rgb()[3 * (y * picture.width() + x) + channel] & 0xff;
    }

    @Test
    void fitCoversAndCutsEvenly() {
        Picture fitted = apply(Augmentation.fit(10), ramp(40, 20), 1);
        assertEquals(10, fitted.width());
        assertEquals(10, fitted.height());
        // Each pixel is the mean of two by two; the columns begin at 10.
        assertEquals(10, at(fitted, 4, 4, 0));
        assertEquals(18.5, at(fitted, 4, 4, 1), 0.5);
        assertEquals(8.5, at(fitted, 4, 4, 2), 0.5);
        Picture same = ramp(10, 10);
        assertArrayEquals(same.rgb(), apply(Augmentation.fit(10), same, 1).rgb());
    }

    @Test
    void padFillsWithWhite() {
        Picture padded = apply(Augmentation.pad(40), ramp(40, 20), 1);
        assertEquals(40, padded.height());
        for (int channel = 0; channel < 3; channel++) {
            assertEquals(255, at(padded, 5, 9, channel));
            assertEquals(255, at(padded, 5, 30, channel));
        }
        assertEquals(10, at(padded, 5, 10, 0));
        assertEquals(5, at(padded, 5, 29, 1));
        assertEquals(19, at(padded, 5, 29, 2));
    }

    @Test
    void shorterSideKeepsTheShape() {
        Picture scaled = apply(Augmentation.shorterSide(5), ramp(40, 20), 1);
        assertEquals(10, scaled.width());
        assertEquals(5, scaled.height());
        assertEquals(20, apply(Augmentation.shorterSide(20), ramp(20, 40), 1).width());
    }

    /** Reducing takes all pixels in: a checkerboard becomes grey and not a moiré. */
    @Test
    void reducingHasNoAliases() {
        var rgb = new byte[3 * 64 * 64];
        for (int i = 0; i < 64 * 64; i++) {
            Arrays.fill(rgb, 3 * i, 3 * i + 3, (byte) ((i % 64 + i / 64) % 2 * 255));
        }
        Picture grey = apply(Augmentation.fit(9), new Picture(64, 64, rgb), 1);
        for (byte value : grey.rgb()) {
            assertEquals(127.5, value & 0xff, 4);
        }
    }

    @Test
    void enlargingInventsNothing() {
        Picture large = apply(Augmentation.fit(64), ramp(16, 16), 1);
        assertEquals(0, at(large, 0, 0, 1));
        assertEquals(15, at(large, 63, 63, 1));
        for (int x = 1; x < 64; x++) {
            assertTrue(at(large, x, 5, 1) >= at(large, x - 1, 5, 1));
        }
    }

    @Test
    void cropsReachEverywhereAndNotBeyond() {
        var corners = new HashSet<Integer>();
        for (long seed = 0; seed < 500; seed++) {
            Picture crop = apply(Augmentation.randomCrop(8), ramp(11, 9), seed);
            int left = at(crop, 0, 0, 1);
            int top = at(crop, 0, 0, 2);
            assertEquals(left + 7, at(crop, 7, 7, 1));
            assertEquals(top + 7, at(crop, 7, 7, 2));
            corners.add(100 * left + top);
        }
        assertEquals(4 * 2, corners.size());
        assertEquals(8, apply(Augmentation.randomCrop(8), ramp(8, 8), 1).width());
        var refusal =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> apply(Augmentation.randomCrop(8), ramp(8, 7), 1));
        assertEquals(
                "a picture of 8×7 pixels is too small for a crop of 8×8", refusal.getMessage());
    }

    @Test
    void flipMirrorsAsOftenAsItShould() {
        int flipped = 0;
        for (long seed = 0; seed < 1000; seed++) {
            Picture picture = apply(Augmentation.flip(0.25), ramp(5, 3), seed);
            flipped += at(picture, 0, 2, 1) == 4 ? 1 : 0;
            assertEquals(2, at(picture, 0, 2, 2));
        }
        assertEquals(250, flipped, 60);
        assertEquals(3, at(apply(Augmentation.flip(1), ramp(5, 3), 1), 1, 0, 1));
        assertEquals(1, at(apply(Augmentation.flip(0), ramp(5, 3), 1), 1, 0, 1));
    }

    @Test
    void scaleAndShiftMoveThePictureOnWhite() {
        var black = new Picture(20, 20, new byte[3 * 20 * 20]);
        var half = apply(Augmentation.randomScaleShift(0.5, 0.5, 0), black, 1);
        assertEquals(255, at(half, 3, 10, 0));
        assertEquals(255, at(half, 10, 16, 1));
        assertEquals(0, at(half, 6, 10, 0));
        assertEquals(0, at(half, 13, 13, 2));
        assertArrayEquals(
                ramp(20, 20).rgb(),
                apply(Augmentation.randomScaleShift(1, 1, 0), ramp(20, 20), 1).rgb());
        var places = new HashSet<Integer>();
        for (long seed = 0; seed < 200; seed++) {
            Picture moved = apply(Augmentation.randomScaleShift(1, 1, 0.1), black, seed);
            int white = 0;
            for (int x = 0; x < 20; x++) {
                white += at(moved, x, 10, 0) > 128 ? 1 : 0;
            }
            places.add(white);
        }
        assertTrue(places.contains(0) && places.contains(2) && !places.contains(3), "" + places);
    }

    @Test
    void togetherTheyAreDescribedAndRepeat() {
        var all =
                Augmentation.shorterSide(12)
                        .then(Augmentation.randomCrop(10))
                        .then(Augmentation.randomScaleShift(0.9, 1.1, 0.1))
                        .then(Augmentation.flip(0.5));
        assertEquals(
                "shorterSide(12) randomCrop(10) randomScaleShift(0.9,1.1,0.1) flip(0.5)",
                all.toString());
        assertArrayEquals(apply(all, ramp(30, 20), 5).rgb(), apply(all, ramp(30, 20), 5).rgb());
        assertTrue(
                !Arrays.equals(
                        apply(all, ramp(30, 20), 5).rgb(), apply(all, ramp(30, 20), 6).rgb()));
        Picture picture = ramp(3, 3);
        assertEquals(picture, apply(Augmentation.none(), picture, 1));
    }

    @Test
    void whatCannotBeIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> Augmentation.fit(0));
        assertThrows(IllegalArgumentException.class, () -> Augmentation.flip(1.1));
        assertThrows(IllegalArgumentException.class, () -> Augmentation.flip(Double.NaN));
        assertThrows(IllegalArgumentException.class, () -> Augmentation.randomScaleShift(0, 1, 0));
        assertThrows(
                IllegalArgumentException.class, () -> Augmentation.randomScaleShift(1, 0.9, 0));
        assertThrows(IllegalArgumentException.class, () -> Augmentation.randomScaleShift(1, 1, 1));
    }
}
