package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/** The shim's attention in bfloat16, on processors that have AVX512_BF16. */
@ExtendWith(KernelsKept.class)
class AttentionBlocksTest {
    @BeforeEach
    void chooseBlocks() {
        assumeTrue(DotProductAttention.hasBlocks(), "there is no AVX512_BF16 here");
        Kernels.use(Kernels.parse("bfloat16.attention=blocks"));
    }

    /** Heads as networks have them: views of tokens that hold all heads side by side. */
    private static Tensor heads(Generator generator, double size, long... shape) {
        return Tensor.randn(generator, shape[0], shape[2], shape[1] * shape[3])
                .times(size)
                .to(DType.BFLOAT16)
                .reshape(shape[0], shape[2], shape[1], shape[3])
                .transpose(1, 2);
    }

    private static Tensor exact(Tensor q, Tensor k, Tensor v, double scale) {
        Tensor scores =
                q.to(DType.FLOAT64)
                        .matmul(k.to(DType.FLOAT64).transpose(2, 3))
                        .times(scale)
                        .softmax(-1);
        return scores.matmul(v.to(DType.FLOAT64));
    }

    private static double largest(Tensor x) {
        return x.to(DType.FLOAT64).abs().max().item();
    }

    /** Blocks are 64 queries and 512 keys: one block, parts of one, several. */
    @ParameterizedTest
    @CsvSource({
        // samples, heads, queries, keys, width, width of values, size of numbers
        "1, 1, 1, 1, 2, 2, 1",
        "2, 3, 64, 77, 40, 40, 1",
        "1, 2, 65, 511, 64, 64, 1",
        "2, 1, 130, 512, 72, 72, 1",
        "1, 2, 63, 513, 40, 24, 1",
        "1, 1, 300, 1537, 160, 160, 1",
        "1, 2, 100, 700, 40, 33, 3",
        "1, 1, 70, 1030, 512, 512, 1"
    })
    void isExactButForRounding(
            long samples, long heads, long queries, long keys, long width, long out, double size) {
        try (var scope = TensorScope.open();
                var generator = new Generator(5)) {
            Tensor q = heads(generator, size, samples, heads, queries, width);
            Tensor k = heads(generator, size, samples, heads, keys, width);
            Tensor v = heads(generator, 1, samples, heads, keys, out);
            Tensor result = Ops.attention(q, k, v, null, null);
            assertEquals(DType.BFLOAT16, result.dtype());
            assertEquals(Shape.of(samples, heads, queries, out), result.shape());
            Tensor error = result.to(DType.FLOAT64).minus(exact(q, k, v, 1 / Math.sqrt(width)));
            // A weight and the result are rounded to 8 bits each.
            assertTrue(largest(error) <= 0x1.02p-8 * largest(v), () -> "" + largest(error));
            Tensor scaled = Ops.attention(q, k, v, null, 0.03);
            assertTrue(
                    largest(scaled.to(DType.FLOAT64).minus(exact(q, k, v, 0.03)))
                            <= 0x1.02p-8 * largest(v));
        }
    }

    @Test
    void takesAnyStrides() {
        try (var scope = TensorScope.open();
                var generator = new Generator(6)) {
            Tensor q = heads(generator, 1, 2, 2, 40, 16);
            Tensor k = heads(generator, 1, 2, 2, 90, 16);
            Tensor v = heads(generator, 1, 2, 2, 90, 16);
            Tensor expected = Ops.attention(q, k, v, null, null);
            var turned = Stream.of(q, k, v).map(AttentionBlocksTest::turned).toList();
            assertTrue(
                    expected.contentEquals(
                            Ops.attention(
                                    turned.get(0), turned.get(1), turned.get(2), null, null)));
        }
    }

    private static Tensor turned(Tensor x) {
        return x.transpose(2, 3).contiguous().transpose(2, 3);
    }

    /** One key per query outweighs all others; the largest numbers overflow nothing. */
    @Test
    void sharpScoresPickAValue() {
        try (var scope = TensorScope.open();
                var generator = new Generator(7)) {
            Tensor q =
                    Tensor.eye(600, DType.BFLOAT16, Device.CPU).times(1e4).reshape(1, 1, 600, 600);
            Tensor v = heads(generator, 1, 1, 1, 600, 8);
            assertEquals(0, largest(Ops.attention(q, q, v, null, 1.0).minus(v)));
        }
    }

    @Test
    void notANumberStaysInItsRow() {
        try (var scope = TensorScope.open();
                var generator = new Generator(8)) {
            Tensor q = heads(generator, 1, 1, 1, 70, 8).contiguous();
            q.select(2, 66).fillInPlace(Double.NaN);
            Tensor result =
                    Ops.attention(
                            q,
                            heads(generator, 1, 1, 1, 20, 8),
                            heads(generator, 1, 1, 1, 20, 8),
                            null,
                            null);
            assertTrue(Double.isNaN(result.select(2, 66).sum().item()));
            assertFalse(Double.isNaN(result.narrow(2, 0, 66).sum().item()));
            assertFalse(Double.isNaN(result.narrow(2, 67, 3).sum().item()));
        }
    }

    /** Masks and odd widths are computed in float32, with gradients as without this way. */
    @Test
    void whatItDoesNotKnowIsFloat32() {
        try (var scope = TensorScope.open();
                var generator = new Generator(9)) {
            Tensor q = heads(generator, 1, 1, 2, 30, 16);
            Tensor odd = heads(generator, 1, 1, 2, 30, 15);
            Tensor mask = Tensor.randn(generator, 30, 30).to(DType.BFLOAT16);
            Tensor one = heads(generator, 1, 1, 1, 30, 16);
            Tensor empty = q.narrow(2, 0, 0);
            var blocks = results(q, odd, mask, one, empty);
            Kernels.use(Kernels.parse("bfloat16.attention=float32"));
            assertEquals(results(q, odd, mask, one, empty), blocks);
        }
    }

    private static List<String> results(
            Tensor q, Tensor odd, Tensor mask, Tensor one, Tensor empty) {
        return List.of(
                text(Ops.attention(q, q, q, mask, null)),
                text(Ops.attention(odd, odd, odd, null, null)),
                text(Ops.attention(q, q, q, null, -1.0)),
                text(Ops.attention(q, one, one, null, null)),
                text(Ops.attention(empty, q, q, null, null)));
    }

    private static String text(Tensor x) {
        return x.shape() + " " + (x.elements() == 0 ? 0 : x.to(DType.FLOAT64).abs().sum().item());
    }

    @Test
    void valuesAloneHaveGradients() {
        try (var scope = TensorScope.open();
                var generator = new Generator(10);
                var mode = Mode.GRAD.enter()) {
            Tensor q = heads(generator, 1, 1, 1, 300, 16);
            Tensor v = heads(generator, 1, 1, 1, 300, 16).detach().requiresGrad(true);
            Ops.attention(q, q, v, null, null).to(DType.FLOAT32).sum().backward();
            Tensor gradient = Objects.requireNonNull(v.grad());
            assertEquals(300 * 16, gradient.to(DType.FLOAT64).sum().item(), 300 * 16 * 0x1p-7);
        }
    }
}
