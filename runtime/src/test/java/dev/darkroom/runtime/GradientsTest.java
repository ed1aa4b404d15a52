package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.libtorch.LibtorchException;

import org.junit.jupiter.api.Test;

import java.util.Arrays;
import java.util.List;

class GradientsTest {
    @Test
    void collectsInTheLeaves() {
        try (var scope = TensorScope.open();
                var mode = Mode.GRAD.enter()) {
            Tensor x = Tensor.copyOf(new float[] {1, 2, 3}, 3).requiresGrad(true);
            assertTrue(x.isLeaf());
            assertNull(x.grad());
            Tensor loss = x.square().sum();
            assertFalse(loss.isLeaf());
            loss.backward();
            assertArrayEquals(new float[] {2, 4, 6}, grad(x).toFloatArray());
            x.times(1).backward(Tensor.ones(DType.FLOAT32, 3));
            assertArrayEquals(new float[] {3, 5, 7}, grad(x).toFloatArray());
            x.setGrad(null);
            assertNull(x.grad());
            assertFalse(x.detach().requiresGrad());
        }
    }

    @Test
    void secondDerivatives() {
        try (var scope = TensorScope.open();
                var mode = Mode.GRAD.enter()) {
            Tensor x = Tensor.copyOf(new double[] {2}, 1).requiresGrad(true);
            Tensor unused = Tensor.copyOf(new double[] {2}, 1).requiresGrad(true);
            Tensor cube = x.pow(3).sum();
            List<Tensor> first =
                    Gradients.of(
                            List.of(cube), Arrays.asList((Tensor) null), List.of(x, unused), true);
            assertEquals(12, first.getFirst().item());
            assertNull(first.get(1));
            Tensor second =
                    Gradients.of(
                                    List.of(first.getFirst().sum()),
                                    Arrays.asList((Tensor) null),
                                    List.of(x),
                                    false)
                            .getFirst();
            assertEquals(12, second.item());
            assertNull(x.grad());
        }
    }

    @Test
    void nothingIsRecordedUnlessAsked() {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.ones(DType.FLOAT32, 3).requiresGrad(true);
            Tensor sum = x.sum();
            assertFalse(sum.requiresGrad());
            assertThrows(LibtorchException.class, sum::backward);
            assertThrows(IllegalStateException.class, x::backward);
            assertThrows(
                    IllegalArgumentException.class,
                    () -> x.backward(Tensor.ones(DType.FLOAT32, 4)));
        }
    }

    private static Tensor grad(Tensor tensor) {
        Tensor grad = tensor.grad();
        assertNotNull(grad);
        return grad;
    }
}
