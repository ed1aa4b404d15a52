package dev.darkroom.runtime;

import dev.darkroom.runtime.Kernels.Way;
import dev.darkroom.runtime.Kernels.Work;

import org.jspecify.annotations.Nullable;

import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What a machine's processor and libtorch decide about {@link Kernels}.
 *
 * @param processor with its instructions
 * @param oneDnn whether libtorch has oneDNN
 * @param mkl whether libtorch has MKL
 * @param blocks whether the shim has attention in blocks, {@link Way#BLOCKS}
 * @param winograd whether the shim has convolutions of {@link Way#WINOGRAD}
 * @param oneDnnLimit what {@code ONEDNN_MAX_CPU_ISA} says, in capitals; null if nothing
 */
record MachineKernels(
        Processor processor,
        boolean oneDnn,
        boolean mkl,
        boolean blocks,
        boolean winograd,
        @Nullable String oneDnnLimit) {
    /** Instructions of 16-bit products that oneDNN leaves alone under a limit. */
    private static final Map<String, String> HIDDEN =
            Map.ofEntries(
                    Map.entry("SSE41", "avx512.*|amx.*"),
                    Map.entry("AVX", "avx512.*|amx.*"),
                    Map.entry("AVX2", "avx512.*|amx.*"),
                    Map.entry("AVX2_VNNI", "avx512.*|amx.*"),
                    Map.entry("AVX2_VNNI_2", "avx512.*|amx.*"),
                    Map.entry("AVX512_CORE", "avx512_bf16|avx512_fp16|amx.*"),
                    Map.entry("AVX512_CORE_VNNI", "avx512_bf16|avx512_fp16|amx.*"),
                    Map.entry("AVX512_CORE_BF16", "avx512_fp16|amx.*"),
                    Map.entry("AVX512_CORE_FP16", "amx.*"),
                    Map.entry("AVX10_1_512", "amx.*"),
                    Map.entry("AVX512_CORE_AMX", "amx_fp16"),
                    Map.entry("AVX10_1_512_AMX", "amx_fp16"));

    /** Returns what the loaded libtorch has, on this machine. */
    static MachineKernels current() {
        String settings = Diagnosis.loaded().settings();
        return new MachineKernels(
                Processor.current(),
                settings.contains("MKL-DNN v"),
                settings.contains("Math Kernel Library"),
                DotProductAttention.hasBlocks(),
                Winograd.exists(),
                limit(System.getenv("ONEDNN_MAX_CPU_ISA"), System.getenv("DNNL_MAX_CPU_ISA")));
    }

    /**
     * Returns the value of oneDNN's variable, by its name now or before; null for the value that
     * lifts all limits.
     */
    static @Nullable String limit(@Nullable String now, @Nullable String before) {
        String set = now != null ? now : before;
        String limit = set == null ? "" : set.strip().toUpperCase(Locale.ROOT);
        return limit.isEmpty() || limit.equals("ALL") || limit.equals("DEFAULT") ? null : limit;
    }

    /** Returns how something is computed on this machine. */
    Way way(DType type, Work work) {
        return decide(type, work).orElseGet(() -> KernelMeasurement.way(this, type, work));
    }

    /**
     * Returns how something is computed, if instructions and libtorch decide it; else it is
     * measured.
     */
    Optional<Way> decide(DType type, Work work) {
        if (type == DType.FLOAT32) {
            return Optional.of(winograd ? Way.WINOGRAD : Way.OWN);
        }
        if (!processor.architecture().equals("amd64") || processor.instructions().isEmpty()) {
            return Optional.empty();
        }
        return switch (work) {
            case PRODUCTS -> products(type);
            case CONVOLUTIONS -> convolutions(type);
            case ATTENTION -> attention(type);
            case ATTENTION_GRADIENTS -> fusedAttention(type);
        };
    }

    /** libtorch's fused attention multiplies by oneDNN where there is AMX for the type. */
    private Optional<Way> attention(DType type) {
        if (hasTiles(type)) {
            return Optional.of(Way.OWN);
        }
        return blocks && type == DType.BFLOAT16 && has("avx512_bf16")
                ? Optional.of(Way.BLOCKS)
                : fusedAttention(type);
    }

    /** Else, and for gradients, it multiplies by MKL; without that, number by number. */
    private Optional<Way> fusedAttention(DType type) {
        if (!mkl) {
            return Optional.of(Way.FLOAT32);
        }
        boolean known = type == DType.BFLOAT16 && processor.instructions().contains("avx512_bf16");
        return known ? Optional.of(Way.OWN) : Optional.empty();
    }

    /** A quarter of the products in float32 is faster than all in bfloat16, but not than by AMX. */
    private Optional<Way> convolutions(DType type) {
        return winograd && type == DType.BFLOAT16 && !hasTiles(type)
                ? Optional.of(Way.WINOGRAD)
                : products(type);
    }

    /** oneDNN multiplies in bfloat16 from AVX-512 on. */
    private Optional<Way> products(DType type) {
        if (!oneDnn) {
            return Optional.of(Way.FLOAT32);
        }
        if (hasTiles(type) || (type == DType.BFLOAT16 && has("avx512_bf16"))) {
            return Optional.of(Way.OWN);
        }
        // Products of float16 without tiles convert their numbers: whether that pays is to be seen.
        return type == DType.FLOAT16 && has("avx512_fp16")
                ? Optional.empty()
                : Optional.of(Way.FLOAT32);
    }

    private boolean hasTiles(DType type) {
        return oneDnn && has(type == DType.BFLOAT16 ? "amx_bf16" : "amx_fp16");
    }

    /** Returns whether oneDNN has and may use an instruction. */
    private boolean has(String instruction) {
        String hidden = oneDnnLimit == null ? null : HIDDEN.get(oneDnnLimit);
        return processor.instructions().contains(instruction)
                && (hidden == null || !instruction.matches(hidden));
    }
}
