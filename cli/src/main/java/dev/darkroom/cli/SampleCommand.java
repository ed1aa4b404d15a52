package dev.darkroom.cli;

import dev.darkroom.common.Sha256;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.models.pipeline.EmbeddedModel;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.models.pipeline.Seed;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Predicate;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** {@code darkroom sample}: pictures from a checkpoint, or from the model in the box. */
@Command(
        name = "sample",
        description = "Makes pictures of a text, or of a class.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        abbreviateSynopsis = true,
        footer = {
            "",
            "What is not given is the checkpoint's own choice. Picture i of a batch has the seed"
                    + " SEED + i and is the same in a batch of any size. Files that exist are"
                    + " replaced. Each picture holds its recipe, in the texts 'parameters' and"
                    + " 'darkroom'."
        })
final class SampleCommand implements Callable<Integer> {
    /** Seeds that are drawn have no more than these bits, so that people can copy them. */
    private static final long RANDOM_SEEDS = 1L << 32;

    private static final String DEFAULT_OUTPUT = "darkroom-{seed}.png";
    private static final String START = "latents_init";

    /** Opens a checkpoint. */
    interface Loader {
        Pipeline load(Path folder, PipelineOptions options);
    }

    @Spec private CommandSpec spec;

    @Parameters(
            arity = "0..1",
            paramLabel = "PROMPT",
            description = "What to draw, in words; in quotes if they are several.")
    private @Nullable String prompt;

    @Option(
            names = "--model",
            paramLabel = "DIR",
            description =
                    "Checkpoint folder, the one that holds model_index.json. Without it, the model"
                            + " that comes with Darkroom: icons of 128×128.")
    private @Nullable Path model;

    @Option(
            names = "--quality",
            description =
                    "Darkroom's own model with 20 guided steps instead of the 4 of its student.")
    private boolean quality;

    @Option(
            names = "--negative",
            paramLabel = "TEXT",
            description = "What guidance shall lead away from.")
    private String negative = "";

    @Option(
            names = "--class",
            paramLabel = "LABEL",
            description =
                    "What to draw, for a checkpoint of classes: a number or a label. Given several"
                            + " times, a class for each picture.")
    private List<String> classes = new ArrayList<>();

    @Option(names = "--steps", paramLabel = "N", description = "Sampling steps, 1 to 1000.")
    private @Nullable Integer steps;

    @Option(
            names = "--guidance",
            paramLabel = "W",
            description = "Weight of classifier-free guidance; 1 for none.")
    private @Nullable Double guidance;

    @Option(
            names = "--sampler",
            paramLabel = "NAME",
            converter = Names.Samplers.class,
            completionCandidates = Names.Samplers.class,
            description = "One of ${COMPLETION-CANDIDATES}.")
    private @Nullable String sampler;

    @Option(
            names = "--seed",
            paramLabel = "N",
            converter = Names.Seeds.class,
            description =
                    "Seed of the first picture, -2^63 to 2^64 - 1 as in PyTorch; without it, a"
                            + " random one.")
    private @Nullable Long seed;

    @Option(names = "--width", paramLabel = "W", description = "In pixels.")
    private @Nullable Integer width;

    @Option(names = "--height", paramLabel = "H", description = "In pixels.")
    private @Nullable Integer height;

    @Option(names = "--batch", paramLabel = "N", description = "Number of pictures.")
    private @Nullable Integer batch;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            converter = Names.DTypes.class,
            completionCandidates = Names.DTypes.class,
            description = "What the networks compute in: ${COMPLETION-CANDIDATES}.")
    private DType dtype = DType.FLOAT32;

    @Option(
            names = "--vae-dtype",
            paramLabel = "TYPE",
            converter = Names.DTypes.class,
            completionCandidates = Names.DTypes.class,
            description =
                    "What the autoencoder computes in; without it, the same, or float32 where its"
                            + " config says that float16 overflows.")
    private @Nullable DType vaeDtype;

    @Option(
            names = "--vae-tiling",
            paramLabel = "auto|on|off",
            converter = Names.Tilings.class,
            completionCandidates = Names.Tilings.class,
            description =
                    "Whether large pictures are decoded in tiles, which takes less memory and"
                            + " differs a little: auto (the default) where the whole does not"
                            + " fit, on, or off.")
    private Tiling vaeTiling = Tiling.AUTO;

    @Option(
            names = "--variant",
            paramLabel = "NAME",
            description =
                    "Variant of the weights, such as fp16 for model.fp16.safetensors; parts without"
                            + " it are loaded from their plain weights.")
    private @Nullable String variant;

    @Option(
            names = "--strict",
            description =
                    "Refuse a checkpoint with tensors or options that are not known, instead of"
                            + " warning of them.")
    private boolean strict;

    @Option(
            names = "--device",
            paramLabel = "cpu|cuda[:N]",
            converter = Names.Devices.class,
            completionCandidates = Names.Devices.class,
            description = "Where they compute.")
    private Device device = Device.CPU;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Native threads; without it, libtorch's choice.")
    private int threads;

    @Option(
            names = "--max-tokens",
            paramLabel = "N",
            description = "Text length; what is longer is cut.")
    private @Nullable Integer maxTokens;

    @Option(
            names = "--no-binning",
            description =
                    "Sample the exact size; by default, a checkpoint that was trained on certain"
                            + " sizes samples the nearest one, which is then scaled and cut.")
    private boolean exactSize;

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

    @Option(
            names = "--latents",
            paramLabel = "FILE",
            description =
                    "Start from the tensor "
                            + START
                            + " of a safetensors file; the seed then only"
                            + " serves the noise that samplers add.")
    private @Nullable Path latents;

    @Option(
            names = "--trace",
            paramLabel = "FILE",
            description = "Also write the tensors in between to a safetensors file.")
    private @Nullable Path trace;

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

    @Option(names = "--json", description = "Print one JSON object instead of lines.")
    private boolean json;

    @Option(names = "--quiet", description = "Print nothing but errors.")
    private boolean quiet;

    @Option(names = "--verbose", description = "Print timings, and where an error came from.")
    private boolean verbose;

    private final Loader loader;

    SampleCommand() {
        this(Pipeline::load);
    }

    SampleCommand(Loader loader) {
        this.loader = loader;
    }

    /** The files to write. */
    private record Targets(List<Path> pictures, @Nullable Path strip, @Nullable Path trace) {
        List<Path> all() {
            var all = new ArrayList<>(pictures);
            if (strip != null) {
                all.add(strip);
            }
            if (trace != null) {
                all.add(trace);
            }
            return all;
        }
    }

    @Override
    public Integer call() throws IOException {
        SampleRequest request;
        PipelineOptions options;
        Targets targets;
        try {
            if (quality && model != null) {
                throw new IllegalArgumentException(
                        "--quality is for Darkroom's own model; leave out --quality or --model");
            }
            request = request();
            options = options();
            targets = targets(request);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
        for (Path file : targets.all()) {
            Output.requireWritable(file);
        }
        var cancelled = new AtomicBoolean();
        try (var ctrlC =
                new CtrlC(
                        () -> cancelled.set(true),
                        "stopping when this evaluation of the network is done",
                        spec.commandLine().getErr())) {
            Path folder = model == null ? own().folder() : model;
            return run(folder, options, request, targets, cancelled);
        }
    }

    /** What is sampled without {@code --model}. */
    private EmbeddedModel own() {
        return quality ? EmbeddedModel.TEACHER : EmbeddedModel.STUDENT;
    }

    private PipelineOptions options() {
        return PipelineOptions.defaults()
                .withDtype(dtype)
                .withVaeDtype(vaeDtype)
                .withDevice(device)
                .withThreads(threads)
                .withVariant(variant)
                .withTiling(vaeTiling)
                .withStrict(strict)
                .withLogging(false); // printed instead
    }

    private SampleRequest request() {
        if (!classes.isEmpty() && prompt != null) {
            throw new IllegalArgumentException("name a prompt or a class, not both");
        }
        if (classes.isEmpty() && prompt == null) {
            throw new IllegalArgumentException(
                    "say what to draw: a prompt in quotes, or --class for a checkpoint of classes");
        }
        int pictures = batch == null ? Math.max(1, classes.size()) : batch;
        if (classes.size() > 1 && classes.size() != pictures) {
            throw new IllegalArgumentException(
                    "there are "
                            + classes.size()
                            + " classes for a batch of "
                            + pictures
                            + "; name one for all pictures or one for each");
        }
        long first = seed == null ? ThreadLocalRandom.current().nextLong(RANDOM_SEEDS) : seed;
        return SampleRequest.builder()
                .prompt(prompt)
                .negativePrompt(negative)
                .classes(classes)
                .steps(steps)
                .guidanceScale(guidance)
                .sampler(sampler)
                .seed(first)
                .width(width)
                .height(height)
                .batch(pictures)
                .maxTokens(maxTokens)
                .binning(!exactSize)
                .build();
    }

    private Targets targets(SampleRequest request) {
        var output = new Output(out.toString());
        var targets =
                new Targets(
                        grid
                                ? List.of(output.file(request.sampling().seed()))
                                : output.files(request.sampling().seed(), request.inputs().batch()),
                        strip == null
                                ? null
                                : new Output(strip.toString()).file(request.sampling().seed()),
                        trace);
        Set<Path> seen = new HashSet<>();
        for (Path file : targets.all()) {
            if (!seen.add(Output.real(file))) {
                throw new IllegalArgumentException(
                        "two outputs would have the same name, " + file + "; name them apart");
            }
        }
        return targets;
    }

    private int run(
            Path folder,
            PipelineOptions options,
            SampleRequest request,
            Targets targets,
            AtomicBoolean cancelled)
            throws IOException {
        PrintWriter err = spec.commandLine().getErr();
        boolean bar = !quiet && Terminal.isStderr();
        long begin = System.nanoTime();
        try (var start = start();
                var pipeline = loader.load(folder, options);
                var progress = bar ? new Progress("sampling", err) : null;
                var watcher =
                        new Watcher(pipeline, cancelled, progress, strip != null, trace != null)) {
            long loaded = System.nanoTime();
            warn(pipeline.warnings());
            var hashes = WeightHashes.of(pipeline, weightsHash);
            SampleResult result = pipeline.sample(request, watcher, start);
            var recipe =
                    new Recipe(
                            result,
                            pipeline.describe(),
                            hashes.now(),
                            latents == null ? null : Sha256.of(latents),
                            Diagnosis.loaded());
            long sampled = System.nanoTime();
            write(targets, recipe, watcher, file -> true);
            var seconds = new LinkedHashMap<String, Double>();
            seconds.put("load", (loaded - begin) / 1e9);
            seconds.putAll(result.seconds());
            seconds.remove("total"); // without loading and writing; the whole comes last
            seconds.put("write", (System.nanoTime() - sampled) / 1e9);
            seconds.put("total", (System.nanoTime() - begin) / 1e9);
            report(targets, recipe, pipeline.warnings(), seconds);
            if (recipe.weights().isEmpty() && weightsHash != WeightHashes.Mode.NONE) {
                complete(targets, recipe, watcher, hashes, cancelled);
            }
            return ExitCode.OK;
        } catch (CancelledException e) {
            if (verbose) {
                e.printStackTrace(err);
            }
            err.println("darkroom: cancelled, nothing was written.");
            return ExitCode.SOFTWARE;
        }
    }

    /** The tensor to start from; null to draw one. */
    private @Nullable Tensor start() throws IOException {
        if (latents == null) {
            return null;
        }
        try (var file = Safetensors.open(latents, LoadMode.READ)) {
            return file.tensor(START);
        }
    }

    private void write(Targets targets, Recipe recipe, Watcher watcher, Predicate<Path> wanted)
            throws IOException {
        List<Picture> pictures = recipe.result().pictures();
        for (int i = 0; i < targets.pictures.size(); i++) {
            if (wanted.test(targets.pictures.get(i))) {
                Raster raster = grid ? Raster.grid(pictures) : Raster.of(pictures.get(i));
                writePng(targets.pictures.get(i), raster, recipe.texts(i));
            }
        }
        if (targets.strip != null && wanted.test(targets.strip)) {
            writePng(targets.strip, watcher.strip(), recipe.texts(0));
        }
        if (targets.trace != null && wanted.test(targets.trace)) {
            SafetensorsWriter.write(targets.trace, watcher.trace(), Map.of());
        }
    }

    /** Puts the weights' hashes into pictures that are written, unless somebody took them. */
    private void complete(
            Targets targets,
            Recipe recipe,
            Watcher watcher,
            WeightHashes hashes,
            AtomicBoolean cancelled)
            throws IOException {
        Map<Path, File> written = new HashMap<>();
        for (Path file : targets.all()) {
            if (!file.equals(targets.trace)) {
                written.put(file, File.of(file));
            }
        }
        hashes.await(cancelled::get);
        if (hashes.isDone()) {
            write(
                    targets,
                    recipe.with(hashes.now()),
                    watcher,
                    file -> File.of(file).isStill(written.get(file)));
        }
    }

    /** A file as it was left; without a time, one that is gone. */
    private record File(@Nullable FileTime time, @Nullable Object key) {
        boolean isStill(@Nullable File before) {
            return time != null && equals(before);
        }

        static File of(Path path) {
            try {
                var file = Files.readAttributes(path, BasicFileAttributes.class);
                return new File(file.lastModifiedTime(), file.fileKey());
            } catch (IOException e) {
                return new File(null, null);
            }
        }
    }

    private static void writePng(Path file, Raster raster, Map<String, String> texts)
            throws IOException {
        Output.write(file, stream -> Png.write(raster, texts, stream));
    }

    /** Prints warnings, unless they are part of an object or not asked for. */
    private void warn(List<String> warnings) {
        if (!json && !quiet) {
            warnings.forEach(
                    warning -> spec.commandLine().getErr().println("warning: " + warning + "."));
        }
    }

    private void report(
            Targets targets, Recipe recipe, List<String> ofLoading, Map<String, Double> seconds) {
        PrintWriter stdout = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        SampleResult result = recipe.result();
        if (json) {
            stdout.println(Recipe.json(summary(targets, recipe, ofLoading, seconds)));
        } else if (!quiet) {
            warn(result.warnings());
            for (int i = 0; i < targets.pictures.size(); i++) {
                stdout.printf(
                        Locale.ROOT,
                        "%s  %s×%s, seed %s, %s steps%n",
                        targets.pictures.get(i),
                        result.used().get("width"),
                        result.used().get("height"),
                        grid && result.pictures().size() > 1
                                ? seeds(result).getFirst() + " to " + seeds(result).getLast()
                                : seeds(result).get(i),
                        result.used().get("steps"));
            }
            for (Path file : targets.all().subList(targets.pictures.size(), targets.all().size())) {
                stdout.println(file);
            }
        }
        if (verbose && !quiet) {
            seconds.forEach((phase, time) -> err.printf(Locale.ROOT, "%8.3f s  %s%n", time, phase));
        }
        stdout.flush();
    }

    private Map<String, Object> summary(
            Targets targets, Recipe recipe, List<String> ofLoading, Map<String, Double> seconds) {
        SampleResult result = recipe.result();
        var files = new ArrayList<Map<String, Object>>();
        for (int i = 0; i < targets.pictures.size(); i++) {
            List<Number> seeds = grid ? seeds(result) : seeds(result).subList(i, i + 1);
            files.add(file(grid ? "grid" : "picture", targets.pictures.get(i), seeds));
        }
        if (targets.strip != null) {
            files.add(file("strip", targets.strip, seeds(result)));
        }
        if (targets.trace != null) {
            files.add(file("trace", targets.trace, seeds(result)));
        }
        Map<String, Object> summary = new LinkedHashMap<>();
        summary.put("files", files);
        summary.put("request", Recipe.request(result.request()));
        summary.put("used", result.used());
        summary.put("checkpoint", recipe.model());
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
