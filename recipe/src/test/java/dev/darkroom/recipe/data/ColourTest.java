package dev.darkroom.recipe.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import java.util.Random;

class ColourTest {
    /** Values of a colour calculator for D65, to two decimals. */
    @ParameterizedTest
    @CsvSource({
        "ffffff, 100, 0, 0",
        "000000, 0, 0, 0",
        "ff0000, 53.24, 80.09, 67.20",
        "00ff00, 87.73, -86.18, 83.18",
        "0000ff, 32.30, 79.19, -107.86",
    })
    void labIsTheStandardOne(String rgb, double l, double a, double b) {
        Lab lab = Lab.of(Integer.parseInt(rgb, 16));
        assertEquals(l, lab.l(), 0.02);
        assertEquals(a, lab.a(), 0.02);
        assertEquals(b, lab.b(), 0.02);
    }

    @Test
    void labLeadsBackToTheSamePixel() {
        new Random(1)
                .ints(1000, 0, 1 << 24)
                .forEach(rgb -> assertEquals(rgb, Lab.of(rgb).rgb(), () -> "" + rgb));
    }

    @Test
    void whatScreensCanNotShowIsMadePaler() {
        Lab shown = Lab.of(Lab.ofHue(60, 200, 1).rgb());
        assertEquals(1, shown.hue(), 0.05);
        assertEquals(60, shown.l(), 1);
    }

    @ParameterizedTest
    @EnumSource
    void everyColourIsNearestToItself(Colour colour) {
        assertEquals(colour, Colour.nearest(colour.lab()));
        assertEquals(colour, Colour.ofWord(colour.word()));
    }

    @Test
    void coloursAreFarApart() {
        for (Colour one : Colour.values()) {
            for (Colour other : Colour.values()) {
                double apart = one.lab().distance(other.lab());
                assertTrue(one == other || apart > 25, one + " and " + other + ": " + apart);
            }
        }
    }
}
