package dev.darkroom.cli;

import dev.darkroom.models.pipeline.SampleRequest;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Option;

import java.nio.file.Path;
import java.util.List;

/** Where pictures go. */
final class OutputOptions {
    private static final String DEFAULT_OUTPUT = "darkroom-{seed}.png";

    @Option(
            names = "--out",
            paramLabel = "FILE|PATTERN",
            description =
                    "Where to: a .png, with {seed} and {index} for a picture's seed and its number"
                            + " from 1. Without either, the pictures of a batch get numbers"
                            + " appended. Default: "
                            + DEFAULT_OUTPUT)
    private Path out = Path.of(DEFAULT_OUTPUT);

    @Option(
            names = "--grid",
            description = "One file with all pictures of the batch, instead of one each.")
    private boolean grid;

    @Option(
            names = "--steps-strip",
            paramLabel = "FILE",
            description =
                    "Also write a picture of how the estimate of the result changes over the steps,"
                            + " in up to "
                            + Watcher.STRIP_COLUMNS
                            + " columns.")
    private @Nullable Path strip;

    /**
     * Names the files of a request.
     *
     * @param trace the file of the tensors in between; null for none
     * @throws IllegalArgumentException if a name is not that of a picture, or two are the same
     */
    OutputFiles files(SampleRequest request, @Nullable Path trace) {
        var output = new Output(out.toString());
        long seed = request.sampling().seed();
        return new OutputFiles(
                grid,
                grid ? List.of(output.file(seed)) : output.files(seed, request.inputs().batch()),
                strip == null ? null : new Output(strip.toString()).file(seed),
                trace);
    }
}
