package dev.darkroom.runtime.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.ArrayList;
import java.util.List;

/** Attention in matrix products, as training has it, against libtorch's fused kernel. */
class AttentionGradientTest {
    private static Tensor heads(Tensor x) {
        return x.reshape(x.size(0), x.size(1), 2, -1).transpose(1, 2);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void equalsTheFusedKernel(boolean masked) {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var generator = new Generator(2);
                var mode = Mode.GRAD.enter()) {
            List<Tensor> inputs = new ArrayList<>();
            for (long tokens : new long[] {7, 5, 5}) {
                Shape shape = Shape.of(3, tokens, 8);
                inputs.add(
                        Tensor.randn(shape, generator, DType.FLOAT64, Device.CPU)
                                .requiresGrad(true));
            }
            Tensor mask =
                    masked
                            ? Tensor.randn(
                                    Shape.of(3, 1, 1, 5), generator, DType.FLOAT64, Device.CPU)
                            : null;
            Tensor weights = Tensor.randn(Shape.of(3, 7, 8), generator, DType.FLOAT64, Device.CPU);
            Tensor q = inputs.get(0);
            Tensor k = inputs.get(1);
            Tensor v = inputs.get(2);
            Tensor products = Attention.multiHead(q, k, v, 2, mask, null);
            products.times(weights).sum().backward();
            List<double[]> gradients = new ArrayList<>();
            for (Tensor input : inputs) {
                gradients.add(input.grad().toDoubleArray());
                input.setGrad(null);
            }
            Tensor fused =
                    Ops.attention(heads(q), heads(k), heads(v), mask, null)
                            .transpose(1, 2)
                            .flatten(2, 3);
            assertArrayEquals(
                    fused.detach().toDoubleArray(), products.detach().toDoubleArray(), 1e-12);
            fused.times(weights).sum().backward();
            for (int i = 0; i < inputs.size(); i++) {
                assertArrayEquals(inputs.get(i).grad().toDoubleArray(), gradients.get(i), 1e-12);
            }
        }
        assertEquals(before, Memory.liveTensors());
    }
}
