package dev.darkroom.cli;

import dev.darkroom.common.Sha256;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Option;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.regex.Pattern;

/** Tensors that are read and written beside pictures. */
final class TensorOptions {
    static final String START = "latents_init";

    /** Latents after a step, in a trace. */
    private static final Pattern STEP = Pattern.compile("latents_\\d+");

    @Option(
            names = "--latents",
            paramLabel = "FILE",
            description =
                    "Start from the tensor "
                            + START
                            + " of a safetensors file, or with --start from the last ones of a"
                            + " --trace; the seed then only serves the noise that samplers add.")
    private @Nullable Path latents;

    @Option(
            names = "--trace",
            paramLabel = "FILE",
            description = "Also write the tensors in between to a safetensors file.")
    private @Nullable Path trace;

    /** Returns the file of the tensors in between; null if none is asked for. */
    @Nullable Path trace() {
        return trace;
    }

    /**
     * Reads the tensor to start from; null for random noise.
     *
     * @param late whether sampling goes on where a traced run ended
     */
    @Nullable Tensor start(boolean late) throws IOException {
        if (latents == null) {
            return null;
        }
        try (var file = Safetensors.open(latents, LoadMode.READ)) {
            return file.tensor(
                    late
                            ? file.names().stream()
                                    .filter(name -> STEP.matcher(name).matches())
                                    .max(
                                            Comparator.comparingInt(String::length)
                                                    .thenComparing(Comparator.naturalOrder()))
                                    .orElse(START)
                            : START);
        }
    }

    /** Returns the SHA-256 of the file with the start; null without one. */
    @Nullable String startSha256() throws IOException {
        return latents == null ? null : Sha256.of(latents);
    }
}
