package dev.darkroom.models.pipeline;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.darkroom.models.diffusion.SeededNoise;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SeedTest {
    /**
     * {@code torch.Generator().manual_seed(s).initial_seed()} and the {@code torch.randn(2)} that
     * follows, of torch 2.13.
     */
    @ParameterizedTest
    @CsvSource({
        "-1, 18446744073709551615, 1.2197630405426025, -0.3929794728755951",
        "18446744073709551615, 18446744073709551615, 1.2197630405426025, -0.3929794728755951",
        "-9223372036854775808, 9223372036854775808, 1.5409960746765137, -0.293428897857666",
        "9223372036854775808, 9223372036854775808, 1.5409960746765137, -0.293428897857666",
        "4294967296, 4294967296, 1.5409960746765137, -0.293428897857666",
        "7, 7, -0.1467950940132141, 0.7861412763595581"
    })
    void seedsAreThoseOfPyTorch(String seed, String initial, float first, float second) {
        long bits = Seed.parse(seed);
        assertEquals(initial, Seed.value(bits).toString());
        try (var scope = TensorScope.open();
                var noise = new SeededNoise(bits, 1)) {
            var drawn = noise.draw(Shape.of(1, 2), DType.FLOAT32, Device.CPU).toFloatArray();
            assertArrayEquals(new float[] {first, second}, drawn);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"18446744073709551616", "-9223372036854775809", "", "1.5", "x"})
    void othersAreRefused(String seed) {
        var refusal = assertThrows(IllegalArgumentException.class, () -> Seed.parse(seed));
        assertEquals(
                "a seed is a whole number from -9223372036854775808 to 18446744073709551615,"
                        + " PyTorch's range, not "
                        + seed,
                refusal.getMessage());
    }

    @Test
    void aLongNumberIsNotEchoed() {
        var refusal =
                assertThrows(
                        IllegalArgumentException.class, () -> Seed.parse("9".repeat(1_000_000)));
        assertEquals(
                true,
                refusal.getMessage().length() < 300,
                () -> "" + refusal.getMessage().length());
    }
}
