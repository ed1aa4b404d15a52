package dev.darkroom.bench;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Gradients;
import dev.darkroom.runtime.Kernels;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Processor;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/**
 * What attention, products and convolutions take in float32, and in 16-bit types computed in their
 * own type and in float32: a row for each shape, forward alone and forward with backward. Attention
 * also as matrix products with a softmax.
 */
public final class KernelTimes {
    private static final int ROUNDS = 5;

    /** Milliseconds from which one round is enough. */
    private static final double SLOW = 500;

    private KernelTimes() {}

    /** Computes a result from inputs of one type. */
    @FunctionalInterface
    private interface Kernel {
        Tensor apply(List<Tensor> inputs);
    }

    /**
     * What is measured.
     *
     * @param products the same as matrix products and a softmax, for attention; or null
     */
    private record Case(
            String name, List<long[]> shapes, Kernel kernel, @Nullable Kernel products) {}

    /** Prints a table for Markdown. Argument: a pattern of the rows' names, if not all. */
    public static void main(String[] arguments) {
        String rows = arguments.length == 0 ? ".*" : arguments[0];
        var loaded = Diagnosis.loaded();
        System.out.printf(
                Locale.ROOT,
                "%s, libtorch %s, %d threads, ATen %s, ONEDNN_MAX_CPU_ISA %s%nchosen: %s%n",
                Processor.current().name(),
                loaded.version(),
                loaded.threads(),
                loaded.cpuCapability(),
                System.getenv("ONEDNN_MAX_CPU_ISA"),
                Kernels.current());
        System.out.println(
                "| ms | float32 | bfloat16 own | in float32 | products | float16 own | in float32 |"
                        + " products |");
        for (Case each : cases()) {
            if (each.name().matches(rows)) {
                row(each, false);
                row(each, true);
            }
        }
    }

    private static void row(Case each, boolean backward) {
        System.out.print("| " + each.name() + (backward ? ", with backward" : "") + " | ");
        print(each, each.kernel(), DType.FLOAT32, "own", backward);
        for (DType type : List.of(DType.BFLOAT16, DType.FLOAT16)) {
            print(each, each.kernel(), type, "own", backward);
            print(each, each.kernel(), type, "float32", backward);
            print(each, each.products(), type, "own", backward);
        }
        System.out.println();
    }

    private static List<Case> cases() {
        return List.of(
                attention("attention 2×16×1024×72", 2, 16, 1024, 72, false),
                attention("attention 64×4×64×64", 64, 4, 64, 64, false),
                attention("attention with bias 2×64×120×64", 2, 64, 120, 64, true),
                attention("attention 1×1×1024×512", 1, 1, 1024, 512, false),
                new Case(
                        "linear 2048×1152 to 1152",
                        List.of(new long[] {2048, 1152}, new long[] {1152, 1152}),
                        in -> Ops.linear(in.get(0), in.get(1), null),
                        null),
                new Case(
                        "bmm 32×256×72 by 32×72×256",
                        List.of(new long[] {32, 256, 72}, new long[] {32, 72, 256}),
                        in -> in.get(0).bmm(in.get(1)),
                        null),
                new Case(
                        "conv 3×3 of 1×128×64×64",
                        List.of(new long[] {1, 128, 64, 64}, new long[] {128, 128, 3, 3}),
                        in -> Ops.conv2d(in.get(0), in.get(1), null, 1, 1, 1),
                        null));
    }

    private static Case attention(
            String name, long n, long heads, long tokens, long width, boolean bias) {
        List<long[]> shapes =
                new ArrayList<>(Collections.nCopies(3, new long[] {n, heads, tokens, width}));
        if (bias) {
            shapes.add(new long[] {1, heads, tokens, tokens});
        }
        Kernel fused =
                in -> Ops.attention(in.get(0), in.get(1), in.get(2), bias ? in.get(3) : null, null);
        Kernel products =
                in -> {
                    Tensor scaled = in.get(0).times(1 / Math.sqrt(width));
                    Tensor scores = scaled.matmul(in.get(1).transpose(2, 3));
                    scores = bias ? scores.plus(in.get(3)) : scores;
                    return scores.softmax(-1).matmul(in.get(2));
                };
        return new Case(name, shapes, fused, products);
    }

    /** Prints the median in milliseconds; one round is enough where it is slow. */
    private static void print(
            Case each, @Nullable Kernel kernel, DType type, String way, boolean backward) {
        if (kernel == null) {
            System.out.print("| ");
            return;
        }
        Kernels before = Kernels.current();
        Kernels.use(Kernels.parse(way));
        double[] times = new double[ROUNDS];
        int rounds = 0;
        try (var scope = TensorScope.open();
                var generator = new Generator(0);
                var mode = (backward ? Mode.GRAD : Mode.NO_GRAD).enter()) {
            List<Tensor> inputs = new ArrayList<>();
            for (long[] shape : each.shapes()) {
                Tensor input = Tensor.randn(generator, shape).to(type).detach();
                inputs.add(input.requiresGrad(backward));
            }
            double warmUp = once(inputs, kernel, backward);
            if (warmUp > SLOW) {
                times[rounds++] = warmUp;
            }
            while (warmUp <= SLOW && rounds < ROUNDS) {
                times[rounds++] = once(inputs, kernel, backward);
            }
        } finally {
            Kernels.use(before);
        }
        double[] taken = Arrays.copyOf(times, rounds);
        Arrays.sort(taken);
        System.out.printf(Locale.ROOT, taken[0] < 100 ? "%.1f | " : "%.0f | ", taken[rounds / 2]);
    }

    private static double once(List<Tensor> inputs, Kernel kernel, boolean backward) {
        long begin = System.nanoTime();
        try (var scope = TensorScope.open()) {
            Tensor result = kernel.apply(inputs);
            if (backward) {
                Gradients.of(List.of(result), List.of(result.detach()), inputs, false);
            }
        }
        return (System.nanoTime() - begin) / 1e6;
    }
}
