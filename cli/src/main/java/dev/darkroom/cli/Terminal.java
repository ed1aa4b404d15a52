package dev.darkroom.cli;

import java.io.Console;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** What is at the other end of standard error. */
final class Terminal {
    private static final Path STDERR = Path.of("/proc/self/fd/2");

    private Terminal() {}

    /**
     * Whether standard error is a terminal. The JDK can only tell whether input and output are, so
     * on Linux the file descriptor itself is looked at.
     */
    static boolean isStderr() {
        try {
            String target = Files.readSymbolicLink(STDERR).toString();
            return target.startsWith("/dev/pts/")
                    || target.startsWith("/dev/tty")
                    || target.equals("/dev/console");
        } catch (IOException | UnsupportedOperationException e) {
            return Optional.ofNullable(System.console()).map(Console::isTerminal).orElse(false);
        }
    }

    /** Columns, as the shell tells; 80 if it does not. */
    static int width() {
        return number("COLUMNS", 80);
    }

    /** Lines, as the shell tells; 24 if it does not. */
    static int height() {
        return number("LINES", 24);
    }

    private static int number(String name, int missing) {
        String value = System.getenv(name);
        return value != null && value.matches("[1-9]\\d{1,3}") ? Integer.parseInt(value) : missing;
    }
}
