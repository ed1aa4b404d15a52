package dev.darkroom.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

import java.io.FileDescriptor;
import java.io.PrintWriter;
import java.nio.charset.Charset;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.NoSuchFileException;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.Supplier;

/**
 * The {@code darkroom} command. It exits with 0 when it did what was asked, 1 when that failed and
 * 2 when the arguments can't be understood.
 */
@Command(
        name = "darkroom",
        description = "Develops latents into images: text-to-image diffusion on the JVM.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        footer = {
            "",
            "It exits with 0 when it did what was asked, 1 when that failed, and 2 when the"
                    + " arguments can't be understood."
        })
public final class Main implements Runnable {
    /** The commands, in the order of the help text. */
    private static final Map<String, Supplier<Object>> COMMANDS = new LinkedHashMap<>();

    static {
        COMMANDS.put("sample", SampleCommand::new);
        COMMANDS.put("invert", InvertCommand::new);
        COMMANDS.put("train", TrainCommand::new);
        COMMANDS.put("download", DownloadCommand::new);
        COMMANDS.put("models", ModelsCommand::new);
        COMMANDS.put("convert", ConvertCommand::new);
        COMMANDS.put("samplers", SamplersCommand::new);
        COMMANDS.put("guidance", GuidanceCommand::new);
        COMMANDS.put("plan", PlanCommand::new);
        COMMANDS.put("inspect", InspectCommand::new);
        COMMANDS.put("doctor", DoctorCommand::new);
        COMMANDS.put("completion", CompletionCommand::new);
    }

    @Spec private CommandSpec spec;

    private Main() {}

    /**
     * Runs one command and ends the JVM with its exit code.
     *
     * @param args the command line
     */
    public static void main(String[] args) {
        // Our own text is the same in every locale; so is what picocli and the progress bar format.
        Locale.setDefault(Locale.Category.FORMAT, Locale.ROOT);
        System.exit(
                run(
                        new Stdout(FileDescriptor.out),
                        System.out.charset(),
                        new PrintWriter(System.err, true, System.err.charset()),
                        args));
    }

    /** Runs one command, which has failed if its output could not be written. */
    static int run(Stdout stdout, Charset charset, PrintWriter err, String... args) {
        var out = new PrintWriter(stdout, true, charset);
        int code = run(out, err, args);
        out.flush();
        return stdout.hasFailed(err) && code == CommandLine.ExitCode.OK
                ? CommandLine.ExitCode.SOFTWARE
                : code;
    }

    /**
     * Runs one command.
     *
     * @param out takes what the command tells
     * @param err takes errors and warnings
     * @param args the command line
     * @return the exit code
     */
    public static int run(PrintWriter out, PrintWriter err, String... args) {
        try {
            return commandLine(args).setOut(out).setErr(err).execute(args);
        } catch (OutOfMemoryError e) {
            err.println("darkroom: the JVM's heap is too small for this; give it more with -Xmx.");
            return CommandLine.ExitCode.SOFTWARE;
        }
    }

    static CommandLine commandLine(String... args) {
        var main = new CommandLine(new Main());
        // Reading a command's annotations takes longer than running some of them, so only the one
        // that is named is added, except where all are shown.
        String named = args.length == 0 || args[0].equals("completion") ? "" : args[0];
        COMMANDS.forEach(
                (name, command) -> {
                    if (name.equals(named) || !COMMANDS.containsKey(named)) {
                        main.addSubcommand(name, command.get());
                    }
                });
        return configured(main);
    }

    /** Lets a command read its arguments and tell its failures as all do. */
    static CommandLine configured(CommandLine command) {
        return command.setExpandAtFiles(false) // a prompt may begin with @
                .setParameterExceptionHandler(Main::refuse)
                .setExecutionExceptionHandler(Main::fail);
    }

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "Name a command.");
    }

    private static int refuse(ParameterException refusal, String[] args) {
        CommandLine command = refusal.getCommandLine();
        String name = command.getCommandSpec().qualifiedName();
        command.getErr().println(name + ": " + refusal.getMessage());
        if (refusal instanceof UnmatchedArgumentException unmatched) {
            if (!UnmatchedArgumentException.printSuggestions(unmatched, command.getErr())
                    && !unmatched.isUnknownOption()) {
                command.getErr().println("Put a text of several words in quotes.");
            }
        }
        command.getErr().println("'" + name + " --help' shows what there is.");
        return CommandLine.ExitCode.USAGE;
    }

    private static int fail(Exception failure, CommandLine command, ParseResult ignored) {
        command.getErr().println("darkroom: " + explain(failure));
        if (command.getParseResult().hasMatchedOption("--verbose")) {
            failure.printStackTrace(command.getErr());
        }
        return CommandLine.ExitCode.SOFTWARE;
    }

    /** A failure in words. The library's own messages are sentences; the file system's are not. */
    static String explain(Exception failure) {
        return switch (failure) {
            case AccessDeniedException denied -> denied.getFile() + ": permission denied";
            case FileSystemLoopException loop ->
                    loop.getFile() + ": this link leads back to a folder that it lies in";
            case NoSuchFileException absent when absent.getReason() == null ->
                    absent.getFile() + ": there is no such file";
            case FileSystemException other -> String.valueOf(other.getMessage());
            default -> failure.getMessage() == null ? failure.toString() : failure.getMessage();
        };
    }
}
