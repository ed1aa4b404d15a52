package dev.darkroom.models.plan;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.DryRun.Product;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Estimates how long a computation takes here: its products are measured in the same shapes and
 * type, large ones in part, the most expensive first until all but a rest is known; everything else
 * as the time that an addition takes to write as many bytes.
 */
final class Timing {
    /** Operations of a measured product at most: some hundredths of a second. */
    private static final double OPERATIONS = 1.5e9;

    /** The share of all operations that is measured. */
    private static final double SHARE = 0.97;

    /** After so much time, the rest is not measured. */
    private static final double SECONDS = 3;

    private static final int ROUNDS = 2;

    private final Map<Product, Double> known = new HashMap<>();
    private final Map<DType, Double> secondsPerByte = new HashMap<>();

    /**
     * Estimates the seconds of a computation.
     *
     * @param products how often products of each shape are computed
     * @param made bytes of all tensors that are made, the products' results too
     */
    double seconds(Map<Product, Long> products, long made, DType dtype) {
        double all = 0;
        double results = 0;
        for (var each : products.entrySet()) {
            Product product = each.getKey();
            all += product.operations() * each.getValue();
            results += product.results() * product.dtype().bytes() * each.getValue();
        }
        double measured = 0;
        double seconds = 0;
        long begin = System.nanoTime();
        var dearest =
                products.entrySet().stream()
                        .sorted(
                                Comparator.comparingDouble(
                                        each -> -each.getKey().operations() * each.getValue()))
                        .toList();
        for (var each : dearest) {
            boolean late = (System.nanoTime() - begin) / 1e9 > SECONDS;
            if (measured > 0 && (measured >= SHARE * all || late)) {
                break;
            }
            measured += each.getKey().operations() * each.getValue();
            seconds += known.computeIfAbsent(each.getKey(), Timing::measure) * each.getValue();
        }
        double computing = measured > 0 ? seconds * all / measured : 0;
        return computing
                + Math.max(0, made - results)
                        * secondsPerByte.computeIfAbsent(dtype, Timing::measureBytes);
    }

    /** Measures a product, or a part of it from which the whole follows. */
    private static double measure(Product product) {
        long[] n = product.sizes().toArray();
        double share = Math.min(1, OPERATIONS / Math.max(1, product.operations()));
        return switch (product.kind()) {
            case LINEAR -> {
                long rows = part(n[0], share);
                yield measure(
                                product.dtype(),
                                List.of(new long[] {rows, n[1]}, new long[] {n[2], n[1]}),
                                t -> Ops.linear(t.get(0), t.get(1), null))
                        * n[0]
                        / rows;
            }
            case MATMUL -> {
                long matrices = part(n[0], share);
                yield measure(
                                product.dtype(),
                                List.of(
                                        new long[] {matrices, n[1], n[2]},
                                        new long[] {matrices, n[2], n[3]}),
                                t -> t.get(0).matmul(t.get(1)))
                        * n[0]
                        / matrices;
            }
            case CONVOLUTION -> {
                long rows = part(n[5], share);
                yield measure(
                                product.dtype(),
                                List.of(
                                        new long[] {n[0], n[1], rows + n[3] - 1, n[6] + n[4] - 1},
                                        new long[] {n[2], n[1], n[3], n[4]}),
                                t -> Ops.conv2d(t.get(0), t.get(1), null, 1, 0, 1))
                        * n[5]
                        / rows;
            }
            case ATTENTION -> {
                long heads = part(n[0], share);
                long queries = part(n[1], share * n[0] / heads);
                yield measure(
                                product.dtype(),
                                List.of(
                                        new long[] {1, heads, queries, n[3]},
                                        new long[] {1, heads, n[2], n[3]},
                                        new long[] {1, heads, n[2], n[3]}),
                                t -> Ops.attention(t.get(0), t.get(1), t.get(2), null, null))
                        * n[0]
                        / heads
                        * n[1]
                        / queries;
            }
        };
    }

    private static long part(long size, double share) {
        return Math.max(1, Math.min(size, Math.round(size * share)));
    }

    private interface Operator {
        Tensor of(List<Tensor> arguments);
    }

    private static double measure(DType dtype, List<long[]> shapes, Operator operator) {
        try (var scope = TensorScope.open();
                var mode = Mode.INFERENCE.enter();
                var generator = new Generator(0)) {
            List<Tensor> arguments =
                    shapes.stream().map(n -> Tensor.randn(generator, n).to(dtype)).toList();
            return best(() -> operator.of(arguments));
        }
    }

    /** Seconds for each byte that an addition writes into new memory. */
    private static double measureBytes(DType dtype) {
        int elements = 4 << 20;
        return measure(
                        dtype,
                        List.of(new long[] {elements}, new long[] {elements}),
                        t -> t.get(0).plus(t.get(1)))
                / (elements * dtype.bytes());
    }

    /** Returns the time of the best of a few rounds after one that does not count. */
    private static double best(Supplier<Tensor> work) {
        double best = Double.POSITIVE_INFINITY;
        for (int i = 0; i <= ROUNDS; i++) {
            long begin = System.nanoTime();
            work.get().close();
            double seconds = (System.nanoTime() - begin) / 1e9;
            best = i == 0 ? best : Math.min(best, seconds);
        }
        return best;
    }
}
