package dev.darkroom.cli;

import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.PrintWriter;
import java.util.Locale;

/** {@code darkroom completion}: a script that completes command lines. */
@Command(
        name = "completion",
        description = "Prints a script with which bash or zsh completes darkroom's command lines.",
        mixinStandardHelpOptions = true,
        versionProvider = Version.class,
        footer = {
            "",
            "For this shell:  source <(darkroom completion bash)",
            "For all shells, put the same line into ~/.bashrc or, with zsh, ~/.zshrc."
        })
final class CompletionCommand implements Runnable {
    /** The shells that there is a script for. */
    enum Shell {
        BASH,
        ZSH;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Spec private CommandSpec spec;

    @Parameters(paramLabel = "bash|zsh", description = "The shell; the script is the same.")
    private Shell shell;

    @Override
    public void run() {
        PrintWriter out = spec.commandLine().getOut();
        out.println("# Use it with: source <(darkroom completion " + shell + ")");
        // One script for both: it makes zsh understand bash's completion by itself.
        out.print(AutoComplete.bash("darkroom", spec.root().commandLine()));
        out.flush();
    }
}
