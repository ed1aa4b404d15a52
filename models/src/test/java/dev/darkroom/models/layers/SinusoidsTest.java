package dev.darkroom.models.layers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;

class SinusoidsTest {
    @Test
    void numbersAreCosinesThenSines() {
        try (var scope = TensorScope.open()) {
            var embedded = Sinusoids.embed(Tensor.copyOf(new float[] {0, 2.5f}, 2), 4, 1);
            assertArrayEquals(
                    new float[] {
                        1,
                        1,
                        0,
                        0,
                        (float) Math.cos(2.5),
                        (float) Math.cos(2.5e-4),
                        (float) Math.sin(2.5),
                        (float) Math.sin(2.5e-4)
                    },
                    embedded.toFloatArray(),
                    1e-6f);
        }
    }

    @Test
    void theShiftSetsTheLastFrequency() {
        try (var scope = TensorScope.open()) {
            var embedded = Sinusoids.embed(Tensor.copyOf(new long[] {900}, 1), 4, 0);
            assertEquals(Math.cos(9), embedded.toFloatArray()[1], 1e-5); // 900 / √10000
        }
    }

    /** Three of diffusers' 128 float32 frequencies are an ulp beside the nearest. */
    @Test
    void guidanceIsThatOfDiffusers() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.guidance("sinusoids")) {
            golden.assertClose("embedding", Sinusoids.guidance(golden.get("w"), 256), 1e-4);
        }
    }

    @Test
    void guidanceIsSinesThenCosinesOfAThousandfold() {
        try (var scope = TensorScope.open()) {
            var embedded = Sinusoids.guidance(Tensor.copyOf(new float[] {0.002f}, 1), 4);
            assertArrayEquals(
                    new float[] {
                        (float) Math.sin(2),
                        (float) Math.sin(2e-4),
                        (float) Math.cos(2),
                        (float) Math.cos(2e-4)
                    },
                    embedded.toFloatArray(),
                    1e-6f);
        }
    }

    @Test
    void positionsAreColumnsThenRows() {
        try (var scope = TensorScope.open()) {
            // Trained on 4 rows and columns: 2 rows lie 2 apart, 8 columns half a step, both over
            // 2.
            var grid = Sinusoids.grid(2, 8, 4, 4, 2, Device.CPU);
            assertEquals(Shape.of(16, 4), grid.shape());
            double column = 3 * 0.5 / 2;
            double row = 1 * 2.0 / 2;
            assertArrayEquals(
                    new float[] {
                        (float) Math.sin(column), (float) Math.cos(column),
                        (float) Math.sin(row), (float) Math.cos(row)
                    },
                    grid.select(0, 8 + 3).toFloatArray(),
                    1e-6f);
        }
    }

    @Test
    void refusesWidthsThatDoNotDivide() {
        try (var scope = TensorScope.open()) {
            var one = Tensor.ones(DType.FLOAT32, 1);
            assertThrows(IllegalArgumentException.class, () -> Sinusoids.embed(one, 5, 0));
            assertThrows(IllegalArgumentException.class, () -> Sinusoids.guidance(one, 5));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Sinusoids.grid(2, 2, 6, 2, 1, Device.CPU));
        }
    }
}
