package dev.darkroom.runtime;

import dev.darkroom.runtime.Kernels.Work;
import dev.darkroom.runtime.internal.ffi.CallFrame;
import dev.darkroom.runtime.internal.ffi.Operator;

import org.jspecify.annotations.Nullable;

/** softmax(scale · q · kᵀ + mask) · v, in the way that is fast on the machine. */
final class DotProductAttention {
    private static final Operator FUSED = Operator.of("scaled_dot_product_attention", "");

    /** Scores of a head up to which they are written to memory, for training on the CPU. */
    private static final long MAX_SCORES = 256 * 256;

    private DotProductAttention() {}

    static Tensor compute(
            Tensor q, Tensor k, Tensor v, @Nullable Tensor mask, @Nullable Double scale) {
        boolean recorded =
                Mode.current().recordsGradients() && (q.requiresGrad() || k.requiresGrad());
        boolean inProducts = recorded && isFasterInProducts(q, k, mask);
        Work work = recorded ? Work.ATTENTION_GRADIENTS : Work.ATTENTION;
        DType type = SixteenBits.inFloat32(inProducts ? Work.PRODUCTS : work, q, k, v);
        if (type != null) {
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
        double factor = scale == null ? 1 / Math.sqrt(q.size(3)) : scale;
        try (var scope = TensorScope.open()) {
            Tensor scores = q.times(factor).matmul(k.transpose(2, 3)); // [N,heads,T,L]
            if (mask != null) {
                scores = scores.plus(mask);
            }
            return scope.keep(scores.softmax(-1).matmul(v));
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
