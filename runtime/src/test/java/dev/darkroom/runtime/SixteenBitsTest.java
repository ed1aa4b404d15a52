package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.libtorch.LibtorchException;

import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.ExtendWith;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/** Products, convolutions and attention in bfloat16 and float16, in both ways. */
@ExtendWith(KernelsKept.class)
class SixteenBitsTest {
    private static final List<String> WAYS = List.of("own", "float32");
    private static final List<DType> TYPES = List.of(DType.BFLOAT16, DType.FLOAT16);

    @FunctionalInterface
    private interface Operator {
        Tensor apply(List<Tensor> inputs);
    }

    /** An operator of inputs with normally distributed elements. */
    private record Case(String name, Operator operator, long[]... shapes) {}

    private static final List<Case> CASES =
            List.of(
                    new Case(
                            "linear",
                            in -> Ops.linear(in.get(0), in.get(1), in.get(2)),
                            size(3, 40, 64),
                            size(48, 64),
                            size(48)),
                    new Case(
                            "linear without bias",
                            in -> Ops.linear(in.get(0), in.get(1), null),
                            size(40, 64),
                            size(48, 64)),
                    new Case(
                            "matmul",
                            in -> in.get(0).matmul(in.get(1)),
                            size(2, 30, 64),
                            size(64, 20)),
                    new Case(
                            "bmm",
                            in -> in.get(0).bmm(in.get(1)),
                            size(2, 30, 64),
                            size(2, 64, 20)),
                    new Case(
                            "addProduct",
                            in -> Ops.addProduct(in.get(0), in.get(1), in.get(2), 0.5, 2),
                            size(30, 20),
                            size(30, 64),
                            size(64, 20)),
                    new Case(
                            "conv2d",
                            in -> Ops.conv2d(in.get(0), in.get(1), in.get(2), 2, 1, 1),
                            size(2, 16, 12, 12),
                            size(24, 16, 3, 3),
                            size(24)),
                    new Case(
                            "attention",
                            in -> Ops.attention(in.get(0), in.get(1), in.get(2), null, null),
                            size(2, 3, 40, 24),
                            size(2, 3, 50, 24),
                            size(2, 3, 50, 24)),
                    new Case(
                            "attention with many scores",
                            in -> Ops.attention(in.get(0), in.get(1), in.get(2), null, null),
                            size(1, 1, 300, 16),
                            size(1, 1, 300, 16),
                            size(1, 1, 300, 16)),
                    new Case(
                            "attention with a bias",
                            in -> Ops.attention(in.get(0), in.get(1), in.get(2), in.get(3), 0.2),
                            size(2, 3, 40, 24),
                            size(2, 3, 40, 24),
                            size(2, 3, 40, 24),
                            size(1, 3, 40, 40)));

    private static long[] size(long... size) {
        return size;
    }

    /** What a number of a type may be off, of its size. */
    private static double rounding(DType type) {
        return type == DType.BFLOAT16 ? 0x1p-8 : 0x1p-11;
    }

    private static List<Tensor> inputs(Case each, DType type) {
        List<Tensor> inputs = new ArrayList<>();
        try (var generator = new Generator(3)) {
            for (long[] shape : each.shapes()) {
                inputs.add(Tensor.randn(generator, shape).to(type).detach());
            }
        }
        return inputs;
    }

    private static List<Tensor> cast(List<Tensor> tensors, DType type) {
        return tensors.stream().map(each -> each.to(type).detach()).toList();
    }

    /** The result, and the gradients of the sum of its squares. */
    private static List<Tensor> withGradients(Case each, List<Tensor> inputs) {
        inputs.forEach(input -> input.requiresGrad(true));
        try (var mode = Mode.GRAD.enter()) {
            Tensor result = each.operator().apply(inputs);
            Tensor loss = result.to(DType.FLOAT64).square().sum();
            List<Tensor> all = new ArrayList<>(List.of(result.detach()));
            List<Tensor> outputs = List.of(loss);
            List<Tensor> ones = new ArrayList<>();
            ones.add(null);
            Gradients.of(outputs, ones, inputs, false)
                    .forEach(gradient -> all.add(Objects.requireNonNull(gradient)));
            return all;
        }
    }

    /** The largest difference, of the largest expected magnitude. */
    private static double difference(Tensor expected, Tensor actual) {
        Tensor wide = expected.to(DType.FLOAT64);
        return wide.minus(actual.to(DType.FLOAT64)).abs().max().item() / wide.abs().max().item();
    }

    private Stream<DynamicTest> each(String what, ThrowingCase test) {
        return CASES.stream()
                .flatMap(
                        each ->
                                TYPES.stream()
                                        .map(
                                                type ->
                                                        DynamicTest.dynamicTest(
                                                                each.name() + " in " + type + what,
                                                                () -> {
                                                                    try (var scope =
                                                                            TensorScope.open()) {
                                                                        test.run(each, type);
                                                                    }
                                                                })));
    }

    @FunctionalInterface
    private interface ThrowingCase {
        void run(Case each, DType type);
    }

    @TestFactory
    Stream<DynamicTest> resultsAndGradientsAgreeWithFloat64() {
        return each(
                "",
                (each, type) -> {
                    List<Tensor> inputs = inputs(each, type);
                    List<Tensor> expected = withGradients(each, cast(inputs, DType.FLOAT64));
                    for (String way : WAYS) {
                        Kernels.use(Kernels.parse(way));
                        List<Tensor> found = withGradients(each, cast(inputs, type));
                        for (int i = 0; i < expected.size(); i++) {
                            assertEquals(type, found.get(i).dtype());
                            double off = difference(expected.get(i), found.get(i));
                            // Gradients are of a rounded result, and attention rounds its scores.
                            assertTrue(
                                    off < 4 * rounding(type), way + ", tensor " + i + ": " + off);
                        }
                    }
                });
    }

    @TestFactory
    Stream<DynamicTest> inFloat32OnlyTheResultIsRounded() {
        return each(
                "",
                (each, type) -> {
                    Kernels.use(Kernels.parse("float32"));
                    List<Tensor> inputs = inputs(each, type);
                    Tensor found = each.operator().apply(inputs);
                    Tensor wide = each.operator().apply(cast(inputs, DType.FLOAT32));
                    assertEquals(DType.FLOAT32, wide.dtype());
                    assertTrue(wide.to(type).contentEquals(found));
                });
    }

    @TestFactory
    Stream<DynamicTest> autocastFollowsTheChoice() {
        return each(
                "",
                (each, type) -> {
                    List<Tensor> inputs = inputs(each, DType.FLOAT32);
                    Tensor expected = each.operator().apply(cast(inputs, DType.FLOAT64));
                    for (String way : WAYS) {
                        Kernels.use(Kernels.parse(way));
                        Tensor found;
                        try (var mode = Mode.NO_GRAD.withAutocast(Device.Type.CPU, type).enter()) {
                            found = each.operator().apply(inputs);
                        }
                        assertEquals(type, found.dtype());
                        double off = difference(expected, found);
                        assertTrue(off < 4 * rounding(type), way + ": " + off);
                    }
                });
    }

    @Test
    void float32IsNotConcerned() {
        try (var scope = TensorScope.open()) {
            for (Case each : CASES) {
                List<List<Tensor>> found = new ArrayList<>();
                for (String way : WAYS) {
                    Kernels.use(Kernels.parse(way));
                    found.add(withGradients(each, inputs(each, DType.FLOAT32)));
                }
                for (int i = 0; i < found.get(0).size(); i++) {
                    assertTrue(found.get(0).get(i).contentEquals(found.get(1).get(i)), each.name());
                }
            }
        }
    }

    @Test
    void mixedTypesAreRefusedInBothWays() {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.ones(DType.BFLOAT16, 8, 8);
            Tensor wide = Tensor.ones(DType.FLOAT32, 8, 8);
            for (String way : WAYS) {
                Kernels.use(Kernels.parse(way));
                assertThrows(LibtorchException.class, () -> x.matmul(wide));
                assertThrows(LibtorchException.class, () -> Ops.linear(x, wide, null));
                assertThrows(LibtorchException.class, () -> Ops.addProduct(wide, x, x, 1, 1));
            }
        }
    }

    /** Masks of truth values stay what they are, and what they hide stays hidden. */
    @Test
    void attentionUnderAMask() {
        try (var scope = TensorScope.open();
                var generator = new Generator(1)) {
            Tensor q = Tensor.randn(generator, 1, 2, 5, 8).to(DType.FLOAT16);
            Tensor v = Tensor.randn(generator, 1, 2, 5, 8).to(DType.FLOAT16);
            Tensor mask =
                    Tensor.copyOf(new boolean[] {true, false, true, false, false}, 1, 1, 1, 5);
            Tensor added =
                    Tensor.copyOf(new float[] {0, -65504, 0, -65504, -65504}, 1, 1, 1, 5)
                            .to(DType.FLOAT16);
            for (String way : WAYS) {
                Kernels.use(Kernels.parse(way));
                Tensor seen = v.indexSelect(2, Tensor.copyOf(new long[] {0, 2}, 2));
                Tensor keys = q.indexSelect(2, Tensor.copyOf(new long[] {0, 2}, 2));
                Tensor expected = Ops.attention(q, keys, seen, null, null);
                assertTrue(difference(expected, Ops.attention(q, q, v, mask, null)) < 0x1p-10);
                assertTrue(difference(expected, Ops.attention(q, q, v, added, null)) < 0x1p-10);
            }
        }
    }

    /** A checkpointed network computes a second time with recording, and needs the same. */
    @Test
    void aWeightInTrainingGivesTheSameWithAndWithoutRecording() {
        Kernels.use(Kernels.parse("float32"));
        try (var scope = TensorScope.open();
                var generator = new Generator(2)) {
            Tensor x = Tensor.randn(generator, 64, 256).to(DType.BFLOAT16);
            Tensor weight = Tensor.randn(generator, 256, 256).to(DType.BFLOAT16).detach();
            weight.requiresGrad(true);
            Tensor plain = Ops.linear(x, weight, null);
            try (var mode = Mode.GRAD.enter()) {
                assertTrue(plain.contentEquals(Ops.linear(x, weight, null).detach()));
            }
        }
    }

    @Test
    void nothingLeaks() {
        long live = Memory.liveTensors();
        try (var scope = TensorScope.open()) {
            for (Case each : CASES) {
                for (String way : WAYS) {
                    Kernels.use(Kernels.parse(way));
                    List<Tensor> inputs = inputs(each, DType.BFLOAT16);
                    long with = Memory.liveTensors();
                    Tensor result = each.operator().apply(inputs);
                    assertEquals(with + 1, Memory.liveTensors(), each.name() + " " + way);
                    result.close();
                }
            }
        }
        assertEquals(live, Memory.liveTensors());
    }
}
