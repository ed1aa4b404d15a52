package dev.darkroom.recipe;

import dev.darkroom.recipe.classifier.ClassifierCommand;
import dev.darkroom.recipe.data.DataCommand;
import dev.darkroom.recipe.data.SheetCommand;
import dev.darkroom.recipe.score.CaptionsCommand;
import dev.darkroom.recipe.score.CheckCommand;
import dev.darkroom.recipe.score.DrawCommand;
import dev.darkroom.recipe.score.EvaluateCommand;
import dev.darkroom.recipe.score.ReferenceCommand;
import dev.darkroom.recipe.score.SamplersCommand;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The commands that make and score the embedded model. */
@Command(
        name = "recipe",
        description = "How the embedded model is made and scored.",
        mixinStandardHelpOptions = true,
        subcommands = {
            DataCommand.class,
            SheetCommand.class,
            CheckCommand.class,
            CaptionsCommand.class,
            EvaluateCommand.class,
            DrawCommand.class,
            ReferenceCommand.class,
            SamplersCommand.class,
            ClassifierCommand.class,
            PackageCommand.class
        })
public final class Main implements Runnable {
    @Spec private CommandSpec spec;

    private Main() {}

    /**
     * Runs one command and ends the JVM with its exit code: 0, 1 for a failure, 2 for arguments
     * that can't be understood.
     *
     * @param args the command line
     */
    public static void main(String[] args) {
        System.exit(run(args));
    }

    /** Runs one command. */
    static int run(String... args) {
        return new CommandLine(new Main())
                .setExecutionExceptionHandler(
                        (failure, command, ignored) -> {
                            command.getErr().println("recipe: " + failure.getMessage());
                            return CommandLine.ExitCode.SOFTWARE;
                        })
                .execute(args);
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "Name a command.");
    }
}
