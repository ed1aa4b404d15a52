package dev.darkroom.runtime;

import dev.darkroom.runtime.Kernels.Work;

import org.jspecify.annotations.Nullable;

import java.util.function.Supplier;

/** Has operators of 16-bit types on the CPU computed as {@link Kernels} says. */
final class SixteenBits {
    private SixteenBits() {}

    /**
     * The type of an operator's result where {@link Kernels} have it computed in float32.
     *
     * @param arguments all that must be of one type without autocast
     * @return null where libtorch's operator is called as it is, also to refuse mixed types
     */
    static @Nullable DType inFloat32(Work work, @Nullable Tensor... arguments) {
        DType type = commonType(arguments);
        return type != null && Kernels.current().castsFor(type, work) ? type : null;
    }

    /** Returns the 16-bit type that all arguments are computed in; null if it isn't one for all. */
    static @Nullable DType commonType(@Nullable Tensor... arguments) {
        DType type = null;
        for (Tensor each : arguments) {
            DType narrow = each == null ? type : typeOf(each);
            if (narrow == null || (type != null && narrow != type)) {
                return null;
            }
            type = narrow;
        }
        return type;
    }

    /** Returns the 16-bit type that an operator computes in on the CPU; null if it is none. */
    static @Nullable DType typeOf(Tensor x) {
        if (!x.device().isLikeCpu()) {
            return null;
        }
        DType dtype = x.dtype();
        boolean narrow = dtype == DType.BFLOAT16 || dtype == DType.FLOAT16;
        DType autocast = Mode.current().autocast(Device.Type.CPU);
        if (autocast != null && (narrow || dtype == DType.FLOAT32)) {
            return autocast;
        }
        return narrow ? dtype : null;
    }

    /**
     * Computes in float32.
     *
     * @param type of the result
     * @param operator is called without autocast; casts its arguments by {@link #wide}
     */
    static Tensor compute(DType type, Supplier<Tensor> operator) {
        try (var scope = TensorScope.open();
                var mode = Mode.current().withoutAutocast().enter()) {
            return scope.keep(operator.get().to(type));
        }
    }

    /** Casts a floating-point tensor to float32; others, masks of bools, stay as they are. */
    static Tensor wide(Tensor x) {
        return x.dtype().isFloatingPoint() ? x.to(DType.FLOAT32) : x;
    }

    /** Casts as {@link #wide}; null stays null. */
    static @Nullable Tensor wideOrNull(@Nullable Tensor x) {
        return x == null ? null : wide(x);
    }
}
