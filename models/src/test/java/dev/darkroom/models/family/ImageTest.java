package dev.darkroom.models.family;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.util.List;
import java.util.Locale;

class ImageTest {
    /** Bytes, divided by 255 and multiplied again. */
    private static final double EXACT = 1e-6;

    /** Made by tests/oracle/resize.py with diffusers' {@code VaeImageProcessor}. */
    @ParameterizedTest
    @ValueSource(strings = {"LANCZOS", "BICUBIC"})
    void picturesAreScaledAndCutAsByDiffusers(Resampling filter) throws IOException {
        var values = new float[3 * 9 * 13];
        for (int c = 0, i = 0; c < 3; c++) {
            for (int y = 0; y < 9; y++) {
                for (int x = 0; x < 13; x++, i++) {
                    values[i] = (37 * x + 91 * y + 53 * c + 7 * x * y) % 256 / 255f;
                }
            }
        }
        var image = new Image(3, 9, 13, values);
        try (var scope = TensorScope.open();
                var golden = Golden.file("resize.safetensors")) {
            for (String size : List.of("12x8", "8x8", "24x16", "32x48", "13x9", "16x9")) {
                String[] sides = size.split("x");
                var wanted = new Size(Integer.parseInt(sides[1]), Integer.parseInt(sides[0]));
                Tensor covered = image.covering(wanted).times(255);
                Tensor scaled = image.scaledTo(wanted, filter).times(255);
                String name = filter.name().toLowerCase(Locale.ROOT);
                golden.assertClose(name + "_crop_" + size, covered, EXACT);
                golden.assertClose(name + "_default_" + size, scaled, EXACT);
            }
        }
    }

    @Test
    void aPictureKeepsItsColoursAndAMaskItsLuminance() {
        byte[] rgb = {(byte) 255, 0, 0, 0, (byte) 255, 51};
        Image image = new Picture(2, 1, rgb).image();
        assertArrayEquals(new float[] {1, 0, 0, 1, 0, 0.2f}, image.values(), 1e-6f);
        assertEquals(new Size(1, 2), image.size());
        Image mask = new Picture(2, 1, rgb).mask(); // Pillow's convert("L"): 76 and 156
        assertArrayEquals(new float[] {76 / 255f, 156 / 255f}, mask.values(), 1e-6f);
    }

    @Test
    void aPictureThatWouldBeHugeIsRefused() {
        var narrow = new Image(1, 1, 40_000, new float[40_000]);
        var refused =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> narrow.covering(new Size(16_384, 16_384)));
        assertEquals(
                "a picture of 40000×1 pixels would be scaled to 655360000×16384, which is too much;"
                        + " crop it first",
                refused.getMessage());
    }

    @Test
    void whatIsNoImageIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new Image(2, 1, 1, new float[2]));
        assertThrows(IllegalArgumentException.class, () -> new Image(1, 1, 2, new float[1]));
        assertThrows(
                IllegalArgumentException.class, () -> new Image(1, 1, 1, new float[] {Float.NaN}));
        assertThrows(IllegalArgumentException.class, () -> new Image(1, 0, 1, new float[0]));
    }
}
