package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.darkroom.runtime.libtorch.LibtorchException;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** The shim's convolutions in float32 and bfloat16. */
@ExtendWith(KernelsKept.class)
class WinogradTest {
    /**
     * Samples, channels in and out, height, width, padding: a pixel, odd sizes, panels and blocks
     * of tiles that are not full, many tiles, many channels with several chunks of tiles.
     */
    private static final long[][] SHAPES = {
        {1, 16, 16, 1, 1, 1},
        {1, 16, 16, 3, 3, 0},
        {2, 32, 16, 3, 5, 1},
        {1, 64, 48, 7, 8, 0},
        {3, 16, 80, 9, 16, 2},
        {2, 320, 320, 12, 20, 1},
        {1, 112, 80, 33, 31, 1},
        {1, 16, 32, 130, 131, 1},
        {2, 1280, 64, 30, 17, 1},
        {1, 1024, 528, 30, 31, 1}
    };

    @BeforeEach
    void chooseWinograd() {
        assumeTrue(Winograd.exists(), "there is no AVX2 here");
        Kernels.use(
                Kernels.parse("own,float32.convolutions=winograd,bfloat16.convolutions=winograd"));
    }

    @Test
    void isExactButForRounding() {
        requireExact();
    }

    /** What the vectors of older processors compute, in a process of its own. */
    @Test
    void isExactOnOlderProcessors(@TempDir Path folder) throws Exception {
        var older = Map.of("ATEN_CPU_CAPABILITY", "avx2");
        Process child = Child.start(folder, older, List.of(), OlderProcessor.class);
        boolean ended = child.waitFor(120, TimeUnit.SECONDS);
        child.destroyForcibly();
        assertTrue(ended, "hangs");
        String said = Files.readString(folder.resolve("output.txt"));
        assertEquals(0, child.exitValue(), said);
    }

    /** Started with {@code ATEN_CPU_CAPABILITY=avx2}. */
    static final class OlderProcessor {
        private OlderProcessor() {}

        public static void main(String[] arguments) {
            assertEquals("AVX2", Diagnosis.loaded().cpuCapability());
            requireExact();
        }
    }

    private static void requireExact() {
        try (var scope = TensorScope.open();
                var generator = new Generator(3)) {
            for (long[] shape : SHAPES) {
                requireExact(generator, shape);
            }
        }
    }

    private static void requireExact(Generator generator, long[] shape) {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.randn(generator, shape[0], shape[1], shape[3], shape[4]);
            Tensor weight =
                    Tensor.randn(generator, shape[2], shape[1], 3, 3)
                            .times(1 / Math.sqrt(9 * shape[1]));
            Tensor bias = Tensor.randn(generator, shape[2]);
            for (DType type : List.of(DType.FLOAT32, DType.BFLOAT16)) {
                Tensor numbers = x.to(type);
                Tensor weights = weight.to(type);
                requireExact(numbers, weights, bias.to(type), shape[5]);
                requireExact(Winograd.channelsLast(numbers), weights, null, shape[5]);
                requireExact(
                        numbers.transpose(2, 3), weights.transpose(2, 3), bias.to(type), shape[5]);
            }
        }
    }

    private static void requireExact(Tensor x, Tensor weight, @Nullable Tensor bias, long padding) {
        Tensor result = Ops.conv2d(x, weight, bias, 1, padding, 1);
        Tensor exact =
                Ops.conv2d(
                        x.to(DType.FLOAT64),
                        weight.to(DType.FLOAT64),
                        bias == null ? null : bias.to(DType.FLOAT64),
                        1,
                        padding,
                        1);
        assertEquals(x.dtype(), result.dtype());
        assertEquals(exact.shape(), result.shape());
        Tensor error = result.to(DType.FLOAT64).minus(exact).abs();
        if (x.dtype() == DType.BFLOAT16) {
            error = error.minus(exact.abs().times(0x1p-8)); // half of the last of 8 bits
        }
        // Results are of size 1; their sums have up to 11520 terms.
        double bound = x.dtype() == DType.BFLOAT16 ? 4e-5 : 2e-5;
        double largest = error.max().item();
        assertTrue(largest < bound, () -> x.dtype() + " " + x.shape() + ": " + largest);
    }

    @ParameterizedTest
    @EnumSource(names = {"FLOAT32", "BFLOAT16"})
    void isTakenForWhatItKnows(DType type) {
        try (var scope = TensorScope.open();
                var generator = new Generator(4)) {
            Tensor x = Tensor.randn(generator, 1, 32, 9, 9).to(type);
            Tensor known = Tensor.randn(generator, 32, 32, 3, 3).to(type);
            assertFalse(isLibtorchs(x, known, 1, 1));
            assertTrue(isLibtorchs(x, known, 2, 1));
            assertTrue(isLibtorchs(x, known.narrow(0, 0, 8), 1, 1));
            assertTrue(isLibtorchs(x, known.narrow(1, 0, 16), 1, 2));
            assertTrue(isLibtorchs(x, known.narrow(2, 0, 1), 1, 1));
            try (var mode = Mode.GRAD.enter()) {
                assertTrue(isLibtorchs(x, known.detach().requiresGrad(true), 1, 1));
            }
            assertTrue(isLibtorchs(x, known.detach().requiresGrad(true), 1, 1));
        }
    }

    /** Whether the last bits are libtorch's, in one order of the numbers or the other. */
    private static boolean isLibtorchs(Tensor x, Tensor weight, long stride, long groups) {
        Tensor result = Ops.conv2d(x, weight, null, stride, 1, groups);
        Kernels chosen = Kernels.current();
        Kernels.use(Kernels.parse("own"));
        boolean found =
                Stream.of(x, Winograd.channelsLast(x))
                        .map(each -> Ops.conv2d(each, weight, null, stride, 1, groups))
                        .anyMatch(result::contentEquals);
        Kernels.use(chosen);
        return found;
    }

    /** bfloat16 that is computed in float32 is computed in this way too. */
    @Test
    void sixteenBitsInFloat32TakeIt() {
        try (var scope = TensorScope.open();
                var generator = new Generator(5)) {
            Tensor x = Tensor.randn(generator, 1, 32, 9, 9).to(DType.BFLOAT16);
            Tensor weight = Tensor.randn(generator, 32, 32, 3, 3).to(DType.BFLOAT16);
            Kernels.use(
                    Kernels.parse("bfloat16.convolutions=float32,float32.convolutions=winograd"));
            Tensor narrow = Ops.conv2d(x, weight, null, 1, 1, 1);
            Tensor wide = Ops.conv2d(x.to(DType.FLOAT32), weight.to(DType.FLOAT32), null, 1, 1, 1);
            assertTrue(narrow.contentEquals(wide.to(DType.BFLOAT16)));
        }
    }

    /** Plans count the memory that it takes beside the result. */
    @Test
    void plansCountWhatItNeeds() {
        try (var scope = TensorScope.open()) {
            for (DType type : List.of(DType.FLOAT32, DType.BFLOAT16)) {
                Tensor x = Tensor.empty(Shape.of(2, 320, 64, 64), type, Device.META);
                Tensor weight = Tensor.empty(Shape.of(320, 320, 3, 3), type, Device.META);
                long bytes = Winograd.numbersBeside(x, weight, 1) * type.bytes();
                assertTrue(bytes > 5 << 20 && bytes < 64 << 20, () -> type + ": " + bytes);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"FLOAT32", "BFLOAT16"})
    void whatDoesNotFitIsRefused(DType type) {
        try (var scope = TensorScope.open();
                var generator = new Generator(6)) {
            Tensor weight = Tensor.randn(generator, 16, 16, 3, 3).to(type);
            Tensor small = Tensor.randn(generator, 1, 16, 2, 5).to(type);
            var refusal =
                    assertThrows(
                            LibtorchException.class,
                            () -> Ops.conv2d(small, weight, null, 1, 0, 1));
            assertTrue(refusal.getMessage().contains("3×3"), refusal::getMessage);
            Tensor none = Tensor.randn(generator, 0, 16, 5, 5).to(type);
            assertEquals(Shape.of(0, 16, 5, 5), Ops.conv2d(none, weight, null, 1, 1, 1).shape());
            Tensor notNumbers = Tensor.randn(generator, 2, 16, 5, 5).to(type);
            notNumbers.select(0, 1).fillInPlace(Double.NaN);
            Tensor result = Ops.conv2d(notNumbers, weight, null, 1, 1, 1);
            assertFalse(Double.isNaN(result.select(0, 0).sum().item()));
            assertNotEquals(0, result.select(0, 1).sum().item());
            assertTrue(Double.isNaN(result.select(0, 1).sum().item()));
        }
    }
}
