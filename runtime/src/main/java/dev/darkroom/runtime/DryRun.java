package dev.darkroom.runtime;

import org.jspecify.annotations.Nullable;

import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;

/**
 * Counts what a computation would take, while it runs with shapes alone: on tensors of {@link
 * Device#META}. Memory is counted from what its tensors would allocate and free, in the order in
 * which they would, and from what the CPU's kernels need beside; work from the products,
 * convolutions and attentions.
 *
 * <pre>{@code
 * try (var dry = DryRun.begin()) {
 *     network.forward(Tensor.empty(shape, DType.FLOAT32, Device.META));
 *     long bytes = dry.peakBytes();
 * }
 * }</pre>
 *
 * <p>There is one at a time in the process, since libtorch counts for all threads.
 */
public final class DryRun implements AutoCloseable {
    private static final Semaphore ONE = new Semaphore(1);
    private static volatile @Nullable DryRun current;

    private final Map<Product, Long> products = new ConcurrentHashMap<>();
    private final long before = Memory.stats(Device.META).live();
    private long madeBefore;
    private boolean closed;

    private DryRun() {}

    /**
     * Begins one.
     *
     * @throws IllegalStateException if another is under way
     */
    public static DryRun begin() {
        if (!ONE.tryAcquire()) {
            throw new IllegalStateException("another dry run is under way; close it first");
        }
        boolean begun = false;
        try {
            var run = new DryRun();
            run.reset();
            current = run;
            begun = true;
            return run;
        } finally {
            if (!begun) {
                ONE.release();
            }
        }
    }

    // ---- What is counted ----

    /** Kinds of work. */
    public enum Kind {
        /** x · weightᵀ: rows, inputs, outputs. */
        LINEAR(3),
        /** A batch of matrix products: matrices, rows, inner, columns. */
        MATMUL(4),
        /**
         * A convolution in two dimensions: samples, channels, outputs, rows and columns of the
         * kernel, rows and columns of the result.
         */
        CONVOLUTION(7),
        /** Fused attention: samples times heads, queries, keys, width of a head. */
        ATTENTION(4);

        private final int sizes;

        Kind(int sizes) {
            this.sizes = sizes;
        }
    }

    /**
     * Products of one shape.
     *
     * @param kind what is computed
     * @param dtype in which it is computed
     * @param sizes as the kind says
     */
    public record Product(Kind kind, DType dtype, Shape sizes) implements Comparable<Product> {
        public Product {
            Objects.requireNonNull(kind, "kind");
            Objects.requireNonNull(dtype, "dtype");
            Objects.requireNonNull(sizes, "sizes");
            if (sizes.rank() != kind.sizes) {
                throw new IllegalArgumentException(
                        kind + " has " + kind.sizes + " sizes, not " + sizes.rank());
            }
        }

        /** Returns how many multiplications and additions it takes. */
        public double operations() {
            double all =
                    2.0
                            * Arrays.stream(sizes.toArray())
                                    .asDoubleStream()
                                    .reduce(1, (a, b) -> a * b);
            return kind == Kind.ATTENTION ? 2 * all : all;
        }

        /** Returns how many elements the result has. */
        public double results() {
            var n = sizes.toArray();
            return switch (kind) {
                case LINEAR -> (double) n[0] * n[2];
                case MATMUL -> (double) n[0] * n[1] * n[3];
                case CONVOLUTION -> (double) n[0] * n[2] * n[5] * n[6];
                case ATTENTION -> (double) n[0] * n[1] * n[3];
            };
        }

        /** Orders by kind, type and sizes. */
        @Override
        public int compareTo(Product other) {
            int order = kind.compareTo(other.kind);
            order = order != 0 ? order : dtype.compareTo(other.dtype);
            return order != 0 ? order : Arrays.compare(sizes.toArray(), other.sizes.toArray());
        }
    }

    /** Returns the bytes of the tensors that were made since the begin and are not closed. */
    public long liveBytes() {
        return Memory.stats(Device.META).live() - before;
    }

    /** Returns the most that {@link #liveBytes} has been since the last {@link #reset}. */
    public long peakBytes() {
        return Memory.stats(Device.META).peak() - before;
    }

    /**
     * Returns the bytes of all tensors that were made since the last {@link #reset}, closed or not.
     */
    public long madeBytes() {
        return Memory.stats(Device.META).reserved() - madeBefore;
    }

    /** Returns how often products of each shape were computed since the last {@link #reset}. */
    public Map<Product, Long> products() {
        return new TreeMap<>(products);
    }

    /** Begins to count anew; what is alive stays counted. */
    public void reset() {
        Memory.resetPeak(Device.META);
        madeBefore = Memory.stats(Device.META).reserved();
        products.clear();
    }

    /** Ends it, and lets the next begin. Closing twice is allowed. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            current = null;
            ONE.release();
        }
    }

    // ---- Operators that libtorch has no shapes for in C++ ----

    /** Whether an operator on a tensor computes its shape alone. */
    static boolean isOn(Tensor x) {
        return x.device().type() == Device.Type.META;
    }

    private static void count(Kind kind, Tensor x, long... sizes) {
        DryRun run = current;
        if (run != null) {
            run.products.merge(new Product(kind, x.dtype(), Shape.of(sizes)), 1L, Long::sum);
        }
    }

    private static Tensor empty(Tensor like, long... shape) {
        return Tensor.empty(Shape.of(shape), like.dtype(), Device.META);
    }

    static Tensor like(Tensor x) {
        return empty(x, x.shape().toArray());
    }

    static Tensor linear(Tensor x, Tensor weight) {
        long out = weight.size(0);
        long rows = x.elements() / Math.max(1, x.size(-1));
        count(Kind.LINEAR, x, rows, x.size(-1), out);
        long[] shape = x.shape().toArray();
        shape[shape.length - 1] = out;
        return empty(x, shape);
    }

    /** Counts a product, whose shape libtorch knows. */
    static void matmul(Tensor a, Tensor b) {
        long inner = a.size(-1);
        long rows = a.rank() < 2 ? 1 : a.size(-2);
        long columns = b.rank() < 2 ? 1 : b.size(-1);
        long matrices =
                Math.max(
                        a.elements() / Math.max(1, rows * inner),
                        b.elements() / Math.max(1, inner * columns));
        count(Kind.MATMUL, a, matrices, rows, inner, columns);
    }

    static Tensor embedding(Tensor table, Tensor ids) {
        long[] shape = Arrays.copyOf(ids.shape().toArray(), ids.rank() + 1);
        shape[ids.rank()] = table.size(1);
        return empty(table, shape);
    }

    /**
     * @param beside how many numbers the convolution needs beside its result while it runs
     */
    static Tensor conv2d(Tensor x, Tensor weight, long stride, long padding, long beside) {
        long rows = (x.size(2) + 2 * padding - weight.size(2)) / stride + 1;
        long columns = (x.size(3) + 2 * padding - weight.size(3)) / stride + 1;
        long out = weight.size(0);
        count(
                Kind.CONVOLUTION,
                x,
                x.size(0),
                weight.size(1),
                out,
                weight.size(2),
                weight.size(3),
                rows,
                columns);
        Tensor result = empty(x, x.size(0), out, rows, columns);
        empty(x, beside).close();
        return result;
    }

    static Tensor attention(Tensor q, Tensor k, Tensor v) {
        count(Kind.ATTENTION, q, q.size(0) * q.size(1), q.size(2), k.size(2), q.size(3));
        // Heads lie beside each other, as they are split from tokens and joined again.
        return empty(q, q.size(0), q.size(2), q.size(1), v.size(3)).transpose(1, 2);
    }
}
