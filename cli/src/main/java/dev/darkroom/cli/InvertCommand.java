package dev.darkroom.cli;

import dev.darkroom.models.family.Edit;
import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.models.pipeline.InversionResult;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.training.data.PictureFile;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;

/** {@code darkroom invert}: the latents that a picture is sampled from. */
@Command(
        name = "invert",
        description = "Finds the latents from which a picture is made again (DDIM inversion).",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        abbreviateSynopsis = true,
        footer = {
            "",
            "'darkroom sample --latents FILE' makes the picture again with the same prompt,"
                    + " sampler, steps and guidance, which are printed; and another with another"
                    + " prompt. A student of few steps can't be inverted: of the model in the box,"
                    + " --quality can."
        })
final class InvertCommand implements Callable<Integer> {
    private static final int ITERATIONS = 2;

    @Spec private CommandSpec spec;

    @Parameters(
            index = "0",
            paramLabel = "PICTURE",
            description =
                    "A PNG, JPEG, WebP, BMP or GIF. Of another size than --width and --height, it"
                            + " is scaled to cover that and cut.")
    private Path picture = Path.of("");

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "PROMPT",
            description = "What is in it, in words; without one, the empty prompt.")
    private @Nullable String prompt;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            description =
                    "Where to: a safetensors file, in which they are the tensor "
                            + TensorOptions.START
                            + ". Default: darkroom.safetensors")
    private Path out = Path.of("darkroom.safetensors");

    @Mixin private final CheckpointOptions checkpoint = new CheckpointOptions();
    @Mixin private final HubFlags hub = new HubFlags();

    @Option(
            names = "--class",
            paramLabel = "LABEL",
            description = "What is in it, for a checkpoint of classes: a number or a label.")
    private List<String> classes = new ArrayList<>();

    @Option(
            names = "--negative",
            paramLabel = "TEXT",
            description = "What guidance shall lead away from.")
    private @Nullable String negative;

    @Option(names = "--steps", paramLabel = "N", description = "Sampling steps, 1 to 1000.")
    private @Nullable Integer steps;

    @Option(
            names = "--iterations",
            paramLabel = "N",
            description = "Evaluations of the network in each step. Default: " + ITERATIONS)
    private int iterations = ITERATIONS;

    @Option(
            names = "--guidance",
            paramLabel = "W",
            description =
                    "Weight of classifier-free guidance. Default: 1, which is none; with more, the"
                            + " way back is less sure.")
    private double guidance = 1;

    @Option(
            names = "--sampler",
            paramLabel = "NAME",
            converter = Names.Samplers.class,
            completionCandidates = Names.Samplers.class,
            description =
                    "Along whose noise levels. Default: euler; as good is ddim where it does not"
                            + " clip.")
    private String sampler = "euler";

    @Option(names = "--width", paramLabel = "W", description = "In pixels.")
    private @Nullable Integer width;

    @Option(names = "--height", paramLabel = "H", description = "In pixels.")
    private @Nullable Integer height;

    @Mixin private final FittingOptions fitting = new FittingOptions();
    @Mixin private final ComputeOptions compute = new ComputeOptions();

    @Option(names = "--quiet", description = "Print nothing but errors.")
    private boolean quiet;

    @Option(names = "--verbose", description = "Print where an error came from.")
    private boolean verbose;

    private final SampleCommand.Loader loader;

    InvertCommand() {
        this(Pipeline::load);
    }

    InvertCommand(SampleCommand.Loader loader) {
        this.loader = loader;
    }

    @Override
    public Integer call() throws IOException {
        SampleRequest request;
        PipelineOptions options;
        try {
            checkpoint.check();
            request = request();
            options = compute.pipeline().withHub(hub.given());
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
        Output.requireWritable(out);
        var cancelled = new AtomicBoolean();
        PrintWriter err = spec.commandLine().getErr();
        try (var ctrlC =
                        new CtrlC(
                                () -> cancelled.set(true),
                                "stopping when this evaluation of the network is done",
                                err);
                var pipeline = loader.load(checkpoint.model(), options, quiet, cancelled, err);
                var progress =
                        !quiet && Terminal.isStderr() ? new Progress("inverting", err) : null;
                var watcher = new Watcher(pipeline, cancelled, progress, null, false, false);
                var inverted = pipeline.invert(request, iterations, watcher)) {
            write(inverted);
            if (!quiet) {
                pipeline.warnings().forEach(warning -> err.println("warning: " + warning + "."));
                inverted.warnings().forEach(warning -> err.println("warning: " + warning + "."));
                spec.commandLine()
                        .getOut()
                        .printf(
                                Locale.ROOT,
                                "%s  for --sampler %s --steps %s --guidance %s%n",
                                out,
                                sampler,
                                inverted.used().get("steps"),
                                inverted.used().get("guidanceScale"));
                spec.commandLine().getOut().flush();
            }
            return ExitCode.OK;
        } catch (CancelledException e) {
            return SampleCommand.cancelled(e, verbose, err);
        }
    }

    private SampleRequest request() throws IOException {
        if (!classes.isEmpty() && prompt != null) {
            throw new IllegalArgumentException("name a prompt or a class, not both");
        }
        return SampleRequest.builder()
                .prompt(classes.isEmpty() && prompt == null ? "" : prompt)
                .negativePrompt(negative)
                .classes(classes)
                .steps(steps)
                .guidanceScale(guidance)
                .sampler(sampler)
                .edit(new Edit(PictureFile.read(picture).image(), null, 1))
                .width(width)
                .height(height)
                .maxTokens(fitting.maxTokens())
                .clipSkip(fitting.clipSkip())
                .binning(fitting.binning())
                .build();
    }

    private void write(InversionResult inverted) throws IOException {
        SafetensorsWriter.write(
                out,
                Map.of(TensorOptions.START, inverted.latents()),
                Map.of(
                        "sampler",
                        sampler,
                        "steps",
                        String.valueOf(inverted.used().get("steps")),
                        "guidance",
                        String.valueOf(inverted.used().get("guidanceScale")),
                        "prompt",
                        prompt == null ? "" : prompt));
    }
}
