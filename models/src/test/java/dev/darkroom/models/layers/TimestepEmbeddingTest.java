package dev.darkroom.models.layers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.testing.Golden;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class TimestepEmbeddingTest {
    private static TimestepEmbedding random(@Nullable Integer guidanceChannels) {
        return Weights.random(
                1,
                DType.FLOAT32,
                Device.CPU,
                w -> new TimestepEmbedding(w, 24, 0, guidanceChannels));
    }

    @Test
    void guidanceIsProjectedAsInDiffusers() throws Exception {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var golden = Golden.guidance("timestep");
                var embedding =
                        Weights.load(
                                golden.weights(),
                                null,
                                Device.CPU,
                                w -> new TimestepEmbedding(w, 24, 0, 32))) {
            golden.assertClose("output", embedding.forward(golden.get("t"), golden.get("w")), 1e-5);
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void aDrawnProjectionChangesNothing() {
        try (var scope = TensorScope.open();
                var plain = random(null);
                var distilled = random(32)) {
            Tensor t = Tensor.copyOf(new long[] {999, 3}, 2);
            Tensor w = Tensor.copyOf(new float[] {7.5f}, 1);
            assertTrue(plain.forward(t).contentEquals(distilled.forward(t, w)));
        }
    }

    @Test
    void saysWhetherItWantsAGuidance() {
        try (var scope = TensorScope.open();
                var plain = random(null);
                var distilled = random(32)) {
            Tensor t = Tensor.copyOf(new long[] {999}, 1);
            var missing = assertThrows(IllegalArgumentException.class, () -> distilled.forward(t));
            assertTrue(missing.getMessage().contains("pass its weight"), missing.getMessage());
            var given = assertThrows(IllegalArgumentException.class, () -> plain.forward(t, t));
            assertTrue(given.getMessage().contains("not conditioned"), given.getMessage());
        }
    }
}
