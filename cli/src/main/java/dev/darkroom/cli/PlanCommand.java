package dev.darkroom.cli;

import dev.darkroom.hub.Hub;
import dev.darkroom.models.checkpoint.ModelLocation;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.plan.Plan;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/** {@code darkroom plan}: what a checkpoint takes on this machine, without its weights. */
@Command(
        name = "plan",
        description =
                "Says what a checkpoint holds, how much memory and time a picture takes here, and"
                        + " with which options it fits: from configs and headers alone.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        footer = {
            "",
            "Memory is that of the whole process at its peak. Memory and time are estimates; the"
                    + " latter from a few seconds of measuring. Of a model of a hub, configs and"
                    + " tokenizers are downloaded, and no weights."
        })
final class PlanCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Parameters(
            paramLabel = "MODEL",
            description =
                    "A checkpoint folder, the one that holds model_index.json, a single"
                            + " .safetensors file, or the name of a model on a hub, "
                            + CacheFlags.NAME
                            + ".")
    private String model = "";

    @Option(
            names = "--size",
            paramLabel = "WxH",
            converter = Names.PictureSizes.class,
            description = "Size of the pictures in pixels, such as 1024x768.")
    private @Nullable Size size;

    @Option(names = "--batch", paramLabel = "N", description = "Number of pictures.")
    private int batch = 1;

    @Option(names = "--steps", paramLabel = "N", description = "Sampling steps, 1 to 1000.")
    private @Nullable Integer steps;

    @Option(
            names = "--guidance",
            paramLabel = "W",
            description = "Weight of classifier-free guidance; 1 for none.")
    private @Nullable Double guidance;

    @Option(
            names = "--control",
            paramLabel = "NET",
            description =
                    "A ControlNet that the model is used with: a folder with config.json and"
                            + " weights, a .safetensors file, or ORG/NAME on a hub. May be given"
                            + " several times.")
    private List<String> nets = new ArrayList<>();

    @Mixin private final ComputeOptions compute = new ComputeOptions();
    @Mixin private final FittingOptions fitting = new FittingOptions();
    @Mixin private final HubFlags hub = new HubFlags();

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public Integer call() throws IOException, InterruptedException {
        SampleRequest request;
        PipelineOptions options;
        try {
            request = request();
            options = compute.pipeline();
            for (String net : nets) {
                options = options.withControl(net);
            }
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
        }
        Plan plan = plan(options, request);
        var out = spec.commandLine().getOut();
        if (json) {
            PlanReport.json(plan, out);
        } else {
            PlanReport.text(plan, out);
        }
        out.flush();
        return 0;
    }

    private SampleRequest request() {
        var builder =
                SampleRequest.builder()
                        .steps(steps)
                        .guidanceScale(guidance)
                        .batch(batch)
                        .maxTokens(fitting.maxTokens())
                        .binning(fitting.binning());
        if (size != null) {
            builder.width(size.width()).height(size.height());
        }
        return builder.build();
    }

    private Plan plan(PipelineOptions options, SampleRequest request)
            throws IOException, InterruptedException {
        return switch (ModelLocation.of(model)) {
            case ModelLocation.Folder folder -> Plan.of(folder.path(), options, request);
            case ModelLocation.OnHub onHub -> {
                try (var client = new Hub(hub.options())) {
                    yield Plan.of(client, onHub.id(), options, request);
                }
            }
            case ModelLocation.WeightsFile file -> Plan.of(file.path(), options, request);
        };
    }
}
