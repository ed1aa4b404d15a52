package dev.darkroom.cli;

import dev.darkroom.cli.TrainProgress.Display;
import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.runtime.Threads;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.run.Trainer;
import dev.darkroom.training.stage.DryRun;
import dev.darkroom.training.stage.Stage;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Iterator;
import java.util.concurrent.Callable;

/** {@code darkroom train}: a stage of making a model. */
@Command(
        name = "train",
        description = "Trains a part of a model, or goes on with a run that was stopped.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        sortOptions = false,
        footer = {
            "",
            "The same command goes on with a run. Ctrl-C saves and stops. In the folder of the run"
                    + " are the result and, below training, checkpoints, the log, samples and a"
                    + " picture of the loss."
        })
final class TrainCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Parameters(
            paramLabel = "STAGE",
            converter = Stages.class,
            completionCandidates = Stages.class,
            description = "What to train: ${COMPLETION-CANDIDATES}.")
    private Stage.Kind stage;

    @Option(
            names = "--config",
            required = true,
            paramLabel = "FILE",
            description = "The stage's settings, in JSON; paths in it are seen from its folder.")
    private Path config = Path.of("");

    @Option(
            names = "--data",
            paramLabel = "DIR",
            description =
                    "Pictures with captions, instead of the config's 'data': NAME.txt beside each,"
                            + " or metadata.jsonl.")
    private @Nullable Path data;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            description = "Folder of the run. Default: the config's name without .json, beside it.")
    private @Nullable Path out;

    @Option(
            names = "--dry-run",
            description =
                    "Read all pictures and captions, print what there is and what is broken, and"
                            + " train nothing. Exits with 1 if anything is broken.")
    private boolean dryRun;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Native threads; without it, libtorch's choice.")
    private int threads;

    @Option(names = "--quiet", description = "Print nothing but warnings and errors.")
    private boolean quiet;

    @Option(names = "--verbose", description = "Print where an error came from.")
    @SuppressWarnings("UnusedVariable") // Main looks for the option where an error is printed
    private boolean verbose;

    @Override
    public Integer call() throws IOException {
        Path folder = out == null ? besideConfig() : out;
        Stage described = Stage.read(stage, config, data);
        if (dryRun) {
            return report(described);
        }
        if (threads > 0) {
            Threads.set(threads);
        }
        PrintWriter err = spec.commandLine().getErr();
        try (var progress = new TrainProgress(err, Display.of(quiet), folder)) {
            if (run(described, folder, progress) == Trainer.End.FINISHED && !quiet) {
                spec.commandLine().getOut().println(folder);
                spec.commandLine().getOut().flush();
            }
        }
        return ExitCode.OK;
    }

    private int report(Stage described) throws IOException {
        PrintWriter out = spec.commandLine().getOut();
        PrintWriter err = spec.commandLine().getErr();
        DryRun read;
        try (var bar = new Progress("reading", err)) {
            boolean isShown = Display.of(quiet) == Display.BAR;
            read =
                    described.dryRun(
                            new CacheListener() {
                                @Override
                                public void encoded(long done, long total) {
                                    if (isShown) {
                                        bar.show(done, total);
                                    }
                                }
                            });
        }
        if (!quiet) {
            DryRunReport.found(read).forEach(out::println);
            out.flush();
        }
        DryRunReport.problems(read).forEach(err::println);
        err.flush();
        return read.problems().isEmpty() ? ExitCode.OK : ExitCode.SOFTWARE;
    }

    private static Trainer.End run(Stage stage, Path folder, TrainProgress progress)
            throws IOException {
        try {
            return stage.run(folder, progress);
        } catch (CancelledException e) {
            return Trainer.End.STOPPED; // before the first step
        }
    }

    private Path besideConfig() {
        String name = config.toAbsolutePath().getFileName().toString();
        return config.resolveSibling(
                name.endsWith(".json") ? name.substring(0, name.length() - 5) : name + "-run");
    }

    /** Names of stages. */
    static final class Stages implements ITypeConverter<Stage.Kind>, Iterable<String> {
        @Override
        public Stage.Kind convert(String name) {
            try {
                return Stage.Kind.of(name);
            } catch (IllegalArgumentException e) {
                throw new TypeConversionException(String.valueOf(e.getMessage()));
            }
        }

        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(Stage.Kind.values()).map(Stage.Kind::toString).iterator();
        }
    }
}
