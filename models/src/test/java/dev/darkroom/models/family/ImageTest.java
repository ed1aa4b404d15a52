package dev.darkroom.models.family;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;

class ImageTest {
    /** A pixel of twice the size sees a triangle of four: ¼, ¾, ¾, ¼, cut at the edge. */
    @Test
    void aSmallerPictureAverages() {
        var image = new Image(1, 1, 4, new float[] {0, 0, 1, 1});
        try (var scope = TensorScope.open()) {
            float[] half = image.covering(new Size(1, 2)).toFloatArray();
            assertArrayEquals(new float[] {0, 1}, half, 1e-6f); // cut on both sides
            var tall = new Image(1, 2, 4, new float[] {0, 0, 1, 1, 0, 0, 1, 1});
            float[] averaged = tall.covering(new Size(1, 2)).toFloatArray();
            assertArrayEquals(new float[] {1 / 7f, 6 / 7f}, averaged, 1e-6f);
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
    void whatIsNoImageIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> new Image(2, 1, 1, new float[2]));
        assertThrows(IllegalArgumentException.class, () -> new Image(1, 1, 2, new float[1]));
        assertThrows(
                IllegalArgumentException.class, () -> new Image(1, 1, 1, new float[] {Float.NaN}));
        assertThrows(IllegalArgumentException.class, () -> new Image(1, 0, 1, new float[0]));
    }
}
