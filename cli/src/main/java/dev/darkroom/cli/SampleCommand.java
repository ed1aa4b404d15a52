package dev.darkroom.cli;

import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.runtime.Diagnosis;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;

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
                    + " replaced. Each picture holds its parameters, in the texts 'parameters' and"
                    + " 'darkroom'."
        })
final class SampleCommand implements Callable<Integer> {
    /** Opens a checkpoint. */
    interface Loader {
        Pipeline load(String model, PipelineOptions options);

        /** Opens a checkpoint, and shows how a download goes on. */
        default Pipeline load(
                String model,
                PipelineOptions options,
                boolean quiet,
                AtomicBoolean cancelled,
                PrintWriter err) {
            try (var progress = new DownloadProgress(err, quiet, cancelled::get)) {
                return load(model, options.withListener(progress));
            }
        }
    }

    @Spec private CommandSpec spec;

    @Parameters(
            arity = "0..1",
            paramLabel = "PROMPT",
            description =
                    "What to draw, in words; in quotes if they are several. Left out for a class,"
                            + " and for checkpoints that take neither.")
    private @Nullable String prompt;

    @Mixin private final CheckpointOptions checkpoint = new CheckpointOptions();
    @Mixin private final HubFlags hub = new HubFlags();
    @Mixin private final RequestOptions asked = new RequestOptions();
    @Mixin private final EditOptions edited = new EditOptions();
    @Mixin private final ControlOptions control = new ControlOptions();
    @Mixin private final SizeOptions sizes = new SizeOptions();
    @Mixin private final ComputeOptions compute = new ComputeOptions();
    @Mixin private final FittingOptions fitting = new FittingOptions();
    @Mixin private final OutputOptions output = new OutputOptions();
    @Mixin private final TensorOptions tensors = new TensorOptions();
    @Mixin private final ReportOptions reporting = new ReportOptions();

    private final Loader loader;

    SampleCommand() {
        this(Pipeline::load);
    }

    SampleCommand(Loader loader) {
        this.loader = loader;
    }

    @Override
    public Integer call() throws IOException {
        SampleRequest request;
        PipelineOptions options;
        OutputFiles files;
        try {
            checkpoint.check();
            request =
                    asked.request(
                            prompt,
                            edited.edit(),
                            control.pictures(),
                            sizes,
                            fitting,
                            checkpoint.maySampleWithoutInputs());
            options = control.with(checkpoint.with(compute.pipeline())).withHub(hub.given());
            files = output.files(request, tensors.trace());
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
        files.requireWritable();
        var cancelled = new AtomicBoolean();
        try (var ctrlC =
                new CtrlC(
                        () -> cancelled.set(true),
                        "stopping when this evaluation of the network is done",
                        spec.commandLine().getErr())) {
            return run(checkpoint.model(), options, request, files, cancelled);
        }
    }

    private int run(
            String model,
            PipelineOptions options,
            SampleRequest request,
            OutputFiles files,
            AtomicBoolean cancelled)
            throws IOException {
        PrintWriter err = spec.commandLine().getErr();
        boolean isTerminal = Terminal.isStderr();
        boolean bar = !reporting.isQuiet() && isTerminal;
        long begin = System.nanoTime();
        try (var start = tensors.start(request.sampling().start() != null);
                var pipeline = loader.load(model, options, reporting.isQuiet(), cancelled, err);
                var progress = bar ? new Progress("sampling", err) : null;
                var watcher =
                        new Watcher(
                                pipeline,
                                cancelled,
                                progress,
                                reporting.preview(TerminalImages.ofStderr(isTerminal), err),
                                files.strip() != null,
                                files.trace() != null)) {
            long loaded = System.nanoTime();
            reporting.warn(pipeline.warnings(), err);
            var hashes = WeightHashes.of(pipeline, reporting.weightsHash());
            SampleResult result = pipeline.sample(request, watcher, start);
            var parameters =
                    new GenerationParameters(
                            result,
                            pipeline.describe(),
                            hashes.now(),
                            tensors.startSha256(),
                            Diagnosis.loaded());
            long sampled = System.nanoTime();
            files.write(parameters, watcher);
            var seconds = new LinkedHashMap<String, Double>();
            seconds.put("load", (loaded - begin) / 1e9);
            seconds.putAll(result.seconds());
            seconds.remove("total"); // without loading and writing; the whole comes last
            seconds.put("write", (System.nanoTime() - sampled) / 1e9);
            seconds.put("total", (System.nanoTime() - begin) / 1e9);
            PrintWriter out = spec.commandLine().getOut();
            reporting.report(files, parameters, pipeline.warnings(), seconds, out, err);
            if (parameters.weights().isEmpty()
                    && reporting.weightsHash() != WeightHashes.Mode.NONE) {
                files.complete(parameters, watcher, hashes, cancelled::get);
            }
            return ExitCode.OK;
        } catch (CancelledException e) {
            return cancelled(e, reporting.isVerbose(), err);
        }
    }

    /** Says that a run was cancelled. */
    static int cancelled(CancelledException e, boolean verbose, PrintWriter err) {
        if (verbose) {
            e.printStackTrace(err);
        }
        err.println(
                e.getCause() == null
                        ? "darkroom: cancelled, nothing was written."
                        : "darkroom: " + e.getMessage());
        return ExitCode.SOFTWARE;
    }
}
