package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.libtorch.LibtorchException;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import java.util.List;

class TensorTest {
    private TensorScope scope;

    @BeforeEach
    void open() {
        scope = TensorScope.open();
    }

    @AfterEach
    void close() {
        scope.close();
    }

    private static Tensor matrix() {
        return Tensor.copyOf(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
    }

    @Test
    void describesItself() {
        Tensor x = matrix().transpose(0, 1);
        assertEquals("float32[3, 2]", x.toString());
        assertEquals(DType.FLOAT32, x.dtype());
        assertEquals(Device.CPU, x.device());
        assertEquals(2, x.size(-1));
        assertArrayEquals(new long[] {1, 3}, x.strides());
        assertFalse(x.isContiguous());
        assertTrue(x.contiguous().isContiguous());
    }

    @Test
    void computes() {
        Tensor x = matrix();
        assertArrayEquals(new float[] {2, 4, 6, 8, 10, 12}, x.plus(x).toFloatArray());
        assertArrayEquals(new float[] {0, 1, 2, 3, 4, 5}, x.minus(1).toFloatArray());
        assertArrayEquals(new float[] {9, 8, 7, 6, 5, 4}, x.subtractedFrom(10).toFloatArray());
        assertArrayEquals(new double[] {6, 15}, x.sum(false, 1).toDoubleArray());
        assertEquals(3.5, x.mean().item());
        assertEquals(21, x.to(DType.INT64).sum().itemLong());
        assertArrayEquals(new float[] {14, 32, 32, 77}, x.matmul(x.transpose(0, 1)).toFloatArray());
        assertArrayEquals(new long[] {2, 2}, x.argmax(1).toLongArray());
        assertEquals(2.5, x.variance(1, false, 0).to(DType.FLOAT64).plus(-2.0).max().item());
        assertArrayEquals(
                new boolean[] {false, false, false, true, true, true}, x.gt(3).toBooleanArray());
        assertArrayEquals(new byte[] {1, 2, 3, 4, 5, 6}, x.toByteArray());
        assertArrayEquals(new int[] {1, 2, 3, 3, 3, 3}, x.clamp(0, 3).toIntArray());
    }

    @Test
    void changesInPlace() {
        Tensor x = matrix();
        long address = x.dataPointer();
        Tensor same = x.plusInPlace(x).timesInPlace(0.5).minusInPlace(matrix()).fillInPlace(7);
        assertEquals(x, same);
        assertEquals(address, x.dataPointer());
        assertArrayEquals(new float[] {7, 7, 7, 7, 7, 7}, x.toFloatArray());
    }

    @Test
    void cutsAndJoins() {
        Tensor x = matrix();
        List<Tensor> columns = x.unbind(1);
        assertEquals(3, columns.size());
        assertArrayEquals(new float[] {1, 4}, columns.getFirst().toFloatArray());
        assertArrayEquals(new float[] {3, 6}, x.select(1, -1).toFloatArray());
        assertArrayEquals(new float[] {2, 3, 5, 6}, x.narrow(1, 1, 2).toFloatArray());
        assertEquals(Shape.of(2, 6), Ops.cat(1, x, x).shape());
        assertEquals(Shape.of(2, 2, 3), Ops.stack(0, List.of(x, x)).shape());
        assertEquals(
                List.of(Shape.of(2, 1), Shape.of(2, 2)),
                x.split(1, 1, 2).stream().map(Tensor::shape).toList());
        assertEquals(Shape.of(3, 2), x.reshape(-1, 2).shape());
        assertEquals(Shape.of(2, 1, 3), x.unsqueeze(1).shape());
    }

    @Test
    void namesTheShapesOfArgumentsThatDoNotFit() {
        Tensor x = matrix();
        Tensor y = Tensor.zeros(DType.FLOAT32, 4);
        assertMessage(() -> x.plus(y), "plus: shapes [2, 3] and [4] do not broadcast together");
        assertMessage(
                () -> y.plusInPlace(Tensor.zeros(DType.FLOAT32, 2, 4)),
                "plusInPlace: shape [2, 4] does not broadcast to [4]");
        assertMessage(() -> x.matmul(x), "matmul: the last dimension of [2, 3]");
        assertMessage(() -> x.reshape(4, -1), "reshape: shape [2, 3] can't become [4, -1]");
        assertMessage(
                () -> Ops.linear(x, Tensor.zeros(DType.FLOAT32, 2, 4), null),
                "linear: input [2, 3] does not end in the 4 features");
        assertMessage(() -> Ops.cat(0, x, y), "cat: shapes [2, 3] and [4] differ");
        assertMessage(() -> Tensor.copyOf(new float[3], 2, 2), "takes 16 bytes, not 12");
        assertThrows(IndexOutOfBoundsException.class, () -> x.narrow(0, 1, 2));
        assertThrows(IndexOutOfBoundsException.class, () -> x.size(2));
        assertThrows(IllegalArgumentException.class, () -> Shape.of(-1));
    }

    @Test
    void libtorchErrorsAreTypedAndNameTheOperator() {
        Tensor x = matrix();
        var error = assertThrows(LibtorchException.class, () -> x.expand(5, 3).toFloatArray());
        assertTrue(error.getMessage().startsWith("expand: "), error.getMessage());
        assertTrue(error.getMessage().endsWith("(tensors: float32[2, 3])"), error.getMessage());
        assertThrows(
                LibtorchException.NoSuchOperator.class, () -> Aten.call("no_such_operator", x));
        var overload =
                assertThrows(LibtorchException.NoSuchOperator.class, () -> Aten.call("add", x, x));
        assertTrue(overload.getMessage().contains("Tensor"), overload.getMessage());
        assertThrows(
                LibtorchException.IndexError.class,
                () -> Ops.embedding(x, Tensor.copyOf(new long[] {9}, 1)));
        assertThrows(
                LibtorchException.OutOfMemory.class,
                () -> Tensor.empty(Shape.of(1L << 50), DType.FLOAT32, Device.CPU));
    }

    @Test
    void reachesAnyOperator() {
        Tensor x = matrix();
        assertEquals("aten::relu(Tensor self) -> Tensor", Aten.schema("relu"));
        List<Object> values = Aten.call("aten::topk", x, 1, -1);
        assertArrayEquals(new float[] {3, 6}, ((Tensor) values.get(0)).toFloatArray());
        assertArrayEquals(new long[] {2, 2}, ((Tensor) values.get(1)).toLongArray());
        assertEquals(
                Shape.of(1, 3),
                Aten.tensor("index.Tensor", x, List.of(Tensor.copyOf(new long[] {1}, 1))).shape());
        assertEquals(true, Aten.call("is_nonzero", Tensor.scalar(1, DType.FLOAT32)).getFirst());
        assertMessage(() -> Aten.call("relu", new Object()), "relu: an argument can't be a");
        assertThrows(IllegalArgumentException.class, () -> Aten.call("relu", "text"));
        assertThrows(IllegalArgumentException.class, () -> Aten.call("relu"));
        assertThrows(IllegalArgumentException.class, () -> Aten.call("relu", x, x));
    }

    @Test
    void seesShapesThatTheEscapeHatchChanged() {
        Tensor x = matrix();
        Tensor other = x.alias();
        assertEquals(Shape.of(2, 3), other.shape());
        assertMessage(
                () -> Aten.call("resize_", x, new long[] {1, 2}), "another handle, a view or");
        assertEquals(Shape.of(2, 3), x.shape());
        other.close();
        assertSame(x, Aten.tensor("resize_", x, new long[] {1, 2}));
        assertEquals(Shape.of(1, 2), x.shape());
    }

    @Test
    void outVariantsWriteWhereTheyAreTold() {
        Tensor x = matrix();
        Tensor out = Tensor.zeros(DType.FLOAT32, 2, 3);
        Aten.call("add.out", x, x, 1, out);
        assertArrayEquals(new float[] {2, 4, 6, 8, 10, 12}, out.toFloatArray());
    }

    private static void assertMessage(Runnable call, String expected) {
        var error = assertThrows(IllegalArgumentException.class, call::run);
        assertTrue(error.getMessage().contains(expected), error.getMessage());
    }
}
