package dev.darkroom.runtime;

import dev.darkroom.runtime.Kernels.Way;
import dev.darkroom.runtime.Kernels.Work;
import dev.darkroom.runtime.internal.ffi.CallFrame;
import dev.darkroom.runtime.internal.ffi.Operator;

import org.jspecify.annotations.Nullable;

/** softmax(scale · q · kᵀ + mask) · v, in the way that is fast on the machine. */
final class DotProductAttention {
    private static final Operator FUSED = Operator.of("scaled_dot_product_attention", "");
    private static final Operator BLOCKS = Operator.of("darkroom::attention", "");

    /** Scores of a head up to which they are written to memory, for training on the CPU. */
    private static final long MAX_SCORES = 256 * 256;

    private DotProductAttention() {}

    static Tensor compute(
            Tensor q, Tensor k, Tensor v, @Nullable Tensor mask, @Nullable Double scale) {
        boolean recorded =
                Mode.current().recordsGradients()
                        && (q.requiresGrad() || k.requiresGrad() || v.requiresGrad());
        boolean inProducts = recorded && isFasterInProducts(q, k, mask);
        DType type = SixteenBits.commonType(q, k, v);
        Way way = type == null ? Way.OWN : Kernels.current().way(type, work(recorded, inProducts));
        if (type != null && way == Way.BLOCKS && mask == null && isForBlocks(q, k, v, scale)) {
            return blocks(type, q, k, v, scale);
        }
        if (type != null && way != Way.OWN) {
            return SixteenBits.compute(
                    type,
                    () ->
                            compute(
                                    SixteenBits.wide(q),
                                    SixteenBits.wide(k),
                                    SixteenBits.wide(v),
                                    SixteenBits.wideOrNull(mask),
                                    scale));
        }
        return inProducts ? products(q, k, v, mask, scale) : fused(q, k, v, mask, scale);
    }

    private static Work work(boolean recorded, boolean inProducts) {
        if (inProducts) {
            return Work.PRODUCTS;
        }
        return recorded ? Work.ATTENTION_GRADIENTS : Work.ATTENTION;
    }

    /** Returns whether nothing is to be broadcast, and the shim's operator knows the numbers. */
    private static boolean isForBlocks(Tensor q, Tensor k, Tensor v, @Nullable Double scale) {
        return k.shape().equals(Shape.of(q.size(0), q.size(1), k.size(2), q.size(3)))
                && v.shape().equals(Shape.of(q.size(0), q.size(1), k.size(2), v.size(3)))
                && q.elements() * k.elements() * v.elements() != 0
                && q.size(3) % 2 == 0
                && factor(q, scale) > 0;
    }

    /** Returns whether the shim has the operator of {@link Way#BLOCKS} on this machine. */
    static boolean hasBlocks() {
        return BLOCKS.exists();
    }

    /**
     * Returns whether matrix products and a softmax are the faster way where gradients are
     * recorded: on the CPU, since the backward pass of libtorch's fused kernel is slow there, if
     * the scores are few.
     */
    private static boolean isFasterInProducts(Tensor q, Tensor k, @Nullable Tensor mask) {
        return q.device().isLikeCpu()
                && q.size(2) * k.size(2) <= MAX_SCORES
                && (mask == null || mask.dtype().isFloatingPoint());
    }

    private static Tensor products(
            Tensor q, Tensor k, Tensor v, @Nullable Tensor mask, @Nullable Double scale) {
        try (var scope = TensorScope.open()) {
            Tensor scores = q.times(factor(q, scale)).matmul(k.transpose(2, 3)); // [N,heads,T,L]
            if (mask != null) {
                scores = scores.plus(mask);
            }
            return scope.keep(scores.softmax(-1).matmul(v));
        }
    }

    private static double factor(Tensor q, @Nullable Double scale) {
        return scale == null ? 1 / Math.sqrt(q.size(3)) : scale;
    }

    private static Tensor blocks(DType type, Tensor q, Tensor k, Tensor v, @Nullable Double scale) {
        if (DryRun.isOn(q)) {
            return DryRun.attention(q, k, v);
        }
        try (var scope = TensorScope.open()) {
            return scope.keep(
                    Tensor.run(
                            BLOCKS.call()
                                    .arg(q.to(type).handle)
                                    .arg(k.to(type).handle)
                                    .arg(v.to(type).handle)
                                    .arg(factor(q, scale))));
        }
    }

    private static Tensor fused(
            Tensor q, Tensor k, Tensor v, @Nullable Tensor mask, @Nullable Double scale) {
        if (DryRun.isOn(q)) {
            return DryRun.attention(q, k, v);
        }
        CallFrame call =
                FUSED.call()
                        .arg(q.handle)
                        .arg(k.handle)
                        .arg(v.handle)
                        .arg(Tensor.handle(mask))
                        .arg(0.0)
                        .arg(false);
        return Tensor.run(scale == null ? call : call.arg(scale.doubleValue()));
    }
}
