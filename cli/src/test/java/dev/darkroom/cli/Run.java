package dev.darkroom.cli;

import picocli.CommandLine;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.stream.Stream;

/** What a command said. */
record Run(int exit, String out, String err) {
    /** Runs a command line of {@code darkroom}. */
    static Run darkroom(Object... arguments) {
        return of(Main.commandLine(texts(arguments)), arguments);
    }

    /** Runs one command. */
    static Run of(CommandLine command, Object... arguments) {
        var out = new StringWriter();
        var err = new StringWriter();
        int exit =
                command.setOut(new PrintWriter(out, true))
                        .setErr(new PrintWriter(err, true))
                        .execute(texts(arguments));
        return new Run(exit, unix(out), unix(err));
    }

    private static String[] texts(Object... arguments) {
        return Stream.of(arguments).map(Object::toString).toArray(String[]::new);
    }

    private static String unix(StringWriter text) {
        return text.toString().replace(System.lineSeparator(), "\n");
    }
}
