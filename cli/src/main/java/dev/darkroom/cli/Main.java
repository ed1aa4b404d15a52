package dev.darkroom.cli;

import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/**
 * The {@code darkroom} command. It exits with 0 when it did what was asked, 1 when that failed and
 * 2 when the arguments can't be understood.
 */
@Command(
        name = "darkroom",
        description = "Develops latents into images: text-to-image diffusion on the JVM.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        subcommands = {InspectCommand.class})
public final class Main implements Runnable {
    @Spec private CommandSpec spec;

    private Main() {}

    /**
     * Runs one command and ends the JVM with its exit code.
     *
     * @param args the command line
     */
    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        return new CommandLine(new Main())
                .setExecutionExceptionHandler(
                        (failure, command, arguments) -> {
                            command.getErr().println("darkroom: " + explain(failure));
                            return command.getCommandSpec().exitCodeOnExecutionException();
                        });
    }

    /**
     * A failure in one line. The library's own messages are sentences; the file system's are not.
     */
    static String explain(Exception failure) {
        return switch (failure) {
            case AccessDeniedException denied -> denied.getFile() + ": permission denied";
            case FileSystemLoopException loop ->
                    loop.getFile() + ": this link leads back to a folder that it lies in";
            case NoSuchFileException absent when absent.getReason() == null ->
                    absent.getFile() + ": there is no such file";
            default -> failure.getMessage() == null ? failure.toString() : failure.getMessage();
        };
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "Name a command.");
    }
}
