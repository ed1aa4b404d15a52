package dev.darkroom.models.pipeline;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;

class PictureTest {
    @Test
    void aPictureHoldsFiniteNumbers() {
        try (var scope = TensorScope.open()) {
            Tensor image = Tensor.zeros(DType.FLOAT32, 3, 2, 2).times(Double.NaN);
            var error = assertThrows(PipelineException.class, () -> Picture.of(image));
            assertTrue(error.getMessage().startsWith("12 of 12 numbers"), error.getMessage());
        }
    }
}
