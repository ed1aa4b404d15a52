package dev.darkroom.cli;

import dev.darkroom.hub.CheckpointFiles;
import dev.darkroom.hub.Hub;
import dev.darkroom.hub.HubOptions;
import dev.darkroom.hub.ModelId;
import dev.darkroom.hub.Snapshot;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.net.URI;
import java.util.concurrent.Callable;

/** {@code darkroom download}: brings a model of a hub into the cache. */
@Command(
        name = "download",
        description =
                "Downloads what is needed of a model into the cache, and prints the folder that it"
                    + " is in. What is there already is kept, and a download that was ended goes on"
                    + " where it stopped.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        footer = {
            "",
            "HF_TOKEN is sent to the hub for gated and private models; HF_ENDPOINT names a mirror.",
            "HF_HUB_OFFLINE=1 downloads nothing."
        })
final class DownloadCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Parameters(
            paramLabel = HubFlags.NAME,
            converter = HubFlags.Ids.class,
            description =
                    "The model; REVISION is a branch, tag or commit, VARIANT which weights, such as"
                            + " fp16.")
    private ModelId id;

    @Mixin private HubFlags hub;

    @Option(
            names = "--endpoint",
            paramLabel = "URL",
            description = "Another hub than HF_ENDPOINT or https://huggingface.co.")
    private @Nullable URI endpoint;

    @Option(names = "--offline", description = "Take what is in the cache, and ask no hub.")
    private boolean offline;

    @Option(names = "--quiet", description = "Print nothing but the folder and warnings.")
    private boolean quiet;

    @Override
    public Integer call() throws IOException, InterruptedException {
        var out = spec.commandLine().getOut();
        out.println(download(options()).folder());
        out.flush();
        return 0;
    }

    private HubOptions options() throws IOException {
        var options = hub.options();
        if (endpoint != null) {
            options = options.withEndpoint(endpoint);
        }
        return offline ? options.withOffline(true) : options;
    }

    private Snapshot download(HubOptions options) throws IOException, InterruptedException {
        var err = spec.commandLine().getErr();
        try (var client = new Hub(options);
                var progress = new DownloadProgress(err, TrainProgress.Display.of(quiet))) {
            return options.offline()
                    ? client.get(id, progress)
                    : client.download(id, CheckpointFiles.of(id), progress);
        }
    }
}
