package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** The numbers are what PyTorch 2.13 draws on the CPU with seed 7, in this order. */
class RandomTest {
    private static final int[] FIFTEEN = {
        0xbe165174, 0x3f49408e, 0x3f7262e7, 0xbf8ea2d3, 0x3fd86bd0, 0xbf651371, 0xbeb6147c,
        0x3f9dbed1, 0x3e0d7d22, 0xbfd75248, 0x3ea2a6bb, 0x3e07fe8d, 0x3e0c9eb0, 0x3e7651b9,
        0x3fb29e22
    };
    private static final int[] SIXTEEN = {
        0xbdab10d9, 0xbcc054cb, 0x3e328f74, 0x4013180c, 0x3f7504a6, 0xbf297027, 0xbf54156f,
        0xbf1b0ddd, 0xbfb35c30, 0x3fa60f1a, 0x3fd20a1a, 0xbf87416d, 0xbe85eeb2, 0xbe801162,
        0x3f00497f, 0x3e852377
    };
    private static final double[] DOUBLES = {
        0x1.58d679755e7c9p+0, 0x1.47a61731731f1p+0, -0x1.fcf640333a1c2p-1
    };
    private static final int[] UNIFORM = {0x3f7e5de3, 0x3ef0c986, 0x3dd6e240};

    @Test
    void drawsWhatPyTorchDrawsBitForBit() {
        try (var scope = TensorScope.open();
                var generator = new Generator(7)) {
            assertArrayEquals(FIFTEEN, bits(Tensor.randn(generator, 15)));
            assertArrayEquals(SIXTEEN, bits(Tensor.randn(generator, 16)));
            assertArrayEquals(
                    DOUBLES,
                    Tensor.randn(Shape.of(3), generator, DType.FLOAT64, Device.CPU)
                            .toDoubleArray());
            assertArrayEquals(
                    UNIFORM, bits(Tensor.rand(Shape.of(3), generator, DType.FLOAT32, Device.CPU)));
            assertArrayEquals(
                    new long[] {2, 1, 3, 0, 4}, Tensor.randperm(5, generator).toLongArray());
            assertArrayEquals(
                    new long[] {32, 50, 27, 53},
                    Tensor.randint(0, 100, Shape.of(4), generator, DType.INT64).toLongArray());
        }
    }

    @Test
    void bfloat16DrawsAreRoundedFloat32Draws() {
        try (var scope = TensorScope.open();
                var generator = new Generator(7)) {
            Tensor floats = Tensor.randn(generator, 15);
            generator.seed(7);
            Tensor bfloats = Tensor.randn(Shape.of(15), generator, DType.BFLOAT16, Device.CPU);
            assertTrue(floats.to(DType.BFLOAT16).contentEquals(bfloats));
        }
    }

    @Test
    void goesBackToAState() {
        try (var scope = TensorScope.open();
                var generator = new Generator(7)) {
            Tensor state = generator.state();
            assertEquals(DType.UINT8, state.dtype());
            Tensor.randn(generator, 100);
            generator.restore(state);
            assertArrayEquals(FIFTEEN, bits(Tensor.randn(generator, 15)));
        }
    }

    private static int[] bits(Tensor tensor) {
        return tensor.viewAs(DType.INT32).toIntArray();
    }
}
