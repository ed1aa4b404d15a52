package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DryRun.Kind;
import dev.darkroom.runtime.DryRun.Product;

import org.junit.jupiter.api.Test;

import java.util.Map;

class DryRunTest {
    @Test
    void countsWhatTensorsWouldTake() {
        long bytes = Memory.liveBytes();
        try (var dry = DryRun.begin();
                var scope = TensorScope.open()) {
            Tensor x = Tensor.empty(Shape.of(1000, 256), DType.FLOAT32, Device.META);
            Tensor weight = Tensor.empty(Shape.of(512, 256), DType.FLOAT32, Device.META);
            long held = dry.liveBytes();
            assertEquals((1000 + 512) * 256 * 4, held, 1024);
            dry.reset();
            Tensor y = Ops.linear(x, weight, null);
            assertEquals(Shape.of(1000, 512), y.shape());
            y.close();
            assertEquals(held, dry.liveBytes());
            assertEquals(held + 1000 * 512 * 4, dry.peakBytes(), 1024);
            var product = new Product(Kind.LINEAR, DType.FLOAT32, Shape.of(1000, 256, 512));
            assertEquals(Map.of(product, 1L), dry.products());
            assertEquals(2.0 * 1000 * 256 * 512, product.operations());
            assertEquals(bytes, Memory.liveBytes(), "nothing is allocated");
            assertThrows(IllegalStateException.class, DryRun::begin);
        }
        DryRun.begin().close();
        var error =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> new Product(Kind.MATMUL, DType.FLOAT32, Shape.of(2)));
        assertTrue(error.getMessage().contains("MATMUL has 4 sizes, not 1"), error.getMessage());
    }
}
