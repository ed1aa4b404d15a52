package dev.darkroom.cli;

import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.models.pipeline.Seed;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Option;

import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** What is said about a run, in its pictures and on the terminal. */
final class ReportOptions {
    @Option(
            names = "--weights-hash",
            paramLabel = "kept|exact|none",
            converter = Names.HashModes.class,
            completionCandidates = Names.HashModes.class,
            description =
                    "The SHA-256 of the weights in a picture's recipe: as kept in the cache since"
                            + " the files were last read (the default), from their bytes now, or"
                            + " none. A picture does not wait for them; its recipe is completed.")
    private WeightHashes.Mode weightsHash = WeightHashes.Mode.KEPT;

    @Option(
            names = "--preview",
            description =
                    "Show the estimate while sampling, in terminals that can: as a picture in"
                            + " kitty, Ghostty, iTerm2, WezTerm and mintty, as coloured half blocks"
                            + " elsewhere. A tiny autoencoder in the checkpoint's folder vae_tiny"
                            + " makes it sharper.")
    private boolean preview;

    @Option(names = "--json", description = "Print one JSON object instead of lines.")
    private boolean json;

    @Option(names = "--quiet", description = "Print nothing but errors.")
    private boolean quiet;

    @Option(names = "--verbose", description = "Print timings, and where an error came from.")
    private boolean verbose;

    /** Returns the hashes of the weights that go into generation parameters. */
    WeightHashes.Mode weightsHash() {
        return weightsHash;
    }

    /**
     * Returns what shows the estimates; null where that was not asked for, or nothing can be shown.
     */
    @Nullable Preview preview(TerminalImages images, PrintWriter err) {
        return preview && !quiet && images.areShown()
                ? new Preview(images, err, Terminal.width(), Terminal.height())
                : null;
    }

    /** Returns whether nothing but errors is printed. */
    boolean isQuiet() {
        return quiet;
    }

    /** Returns whether it is printed where an error came from. */
    boolean isVerbose() {
        return verbose;
    }

    /** Prints warnings, unless they are part of an object or not asked for. */
    void warn(List<String> warnings, PrintWriter err) {
        if (!json && !quiet) {
            warnings.forEach(warning -> err.println("warning: " + warning + "."));
        }
    }

    /**
     * Prints what was made: lines or an object on the standard output, timings beside it.
     *
     * @param ofLoading the warnings that are printed already
     * @param seconds what each phase took
     */
    void report(
            OutputFiles files,
            GenerationParameters parameters,
            List<String> ofLoading,
            Map<String, Double> seconds,
            PrintWriter stdout,
            PrintWriter err) {
        SampleResult result = parameters.result();
        if (json) {
            stdout.println(
                    GenerationParameters.json(summary(files, parameters, ofLoading, seconds)));
        } else if (!quiet) {
            warn(result.warnings(), err);
            for (int i = 0; i < files.pictures().size(); i++) {
                stdout.printf(
                        Locale.ROOT,
                        "%s  %s×%s, seed %s, %s steps%n",
                        files.pictures().get(i),
                        result.used().get("width"),
                        result.used().get("height"),
                        files.grid() && result.pictures().size() > 1
                                ? seeds(result).getFirst() + " to " + seeds(result).getLast()
                                : seeds(result).get(i),
                        result.used().get("steps"));
            }
            for (Path file : files.all().subList(files.pictures().size(), files.all().size())) {
                stdout.println(file);
            }
        }
        if (verbose && !quiet) {
            seconds.forEach((phase, time) -> err.printf(Locale.ROOT, "%8.3f s  %s%n", time, phase));
        }
        stdout.flush();
    }

    private static Map<String, Object> summary(
            OutputFiles files,
            GenerationParameters parameters,
            List<String> ofLoading,
            Map<String, Double> seconds) {
        SampleResult result = parameters.result();
        var written = new ArrayList<Map<String, Object>>();
        for (int i = 0; i < files.pictures().size(); i++) {
            List<Number> seeds = files.grid() ? seeds(result) : seeds(result).subList(i, i + 1);
            written.add(file(files.grid() ? "grid" : "picture", files.pictures().get(i), seeds));
        }
        if (files.strip() != null) {
            written.add(file("strip", files.strip(), seeds(result)));
        }
        if (files.trace() != null) {
            written.add(file("trace", files.trace(), seeds(result)));
        }
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put("files", written);
        summary.put("request", GenerationParameters.request(result.request()));
        summary.put("used", result.used());
        summary.put("checkpoint", parameters.model());
        summary.put("seconds", seconds);
        summary.put(
                "warnings", Stream.concat(ofLoading.stream(), result.warnings().stream()).toList());
        return summary;
    }

    private static Map<String, Object> file(String kind, Path path, List<Number> seeds) {
        Map<String, Object> file = new LinkedHashMap<>();
        file.put("kind", kind);
        file.put("path", path.toString());
        file.put("seeds", seeds);
        return file;
    }

    private static List<Number> seeds(SampleResult result) {
        long first = result.request().sampling().seed();
        return LongStream.range(0, result.pictures().size())
                .mapToObj(i -> Seed.value(first + i))
                .toList();
    }
}
