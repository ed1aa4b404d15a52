package dev.darkroom.cli;

import dev.darkroom.hub.CheckpointFiles;
import dev.darkroom.hub.Hub;
import dev.darkroom.hub.HubOptions;
import dev.darkroom.hub.ModelId;
import dev.darkroom.hub.Snapshot;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;

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
            paramLabel = CacheFlags.NAME,
            converter = CacheFlags.Ids.class,
            description =
                    "The model; REVISION is a branch, tag or commit, VARIANT which weights, such as"
                            + " fp16.")
    private ModelId id;

    @Mixin private HubFlags hub;

    @Option(
            names = "--all-parts",
            description =
                    "Also the parts that pictures are made without, and that other programs may"
                            + " want: safety_checker and feature_extractor.")
    private boolean allParts;

    @Option(names = "--quiet", description = "Print nothing but the folder and warnings.")
    private boolean quiet;

    @Override
    public Integer call() throws IOException, InterruptedException {
        var out = spec.commandLine().getOut();
        out.println(download(hub.options()).folder());
        out.flush();
        return 0;
    }

    private Snapshot download(HubOptions options) throws IOException, InterruptedException {
        var err = spec.commandLine().getErr();
        var needed = CheckpointFiles.of(id);
        var files = allParts ? needed.withEveryPart() : needed;
        var cancelled = new AtomicBoolean();
        try (var ctrlC = new CtrlC(() -> cancelled.set(true), "keeping what came so far", err);
                var client = new Hub(options);
                var progress = new DownloadProgress(err, quiet, cancelled::get)) {
            return options.offline()
                    ? client.get(id, files, progress)
                    : client.download(id, files, progress);
        }
    }
}
