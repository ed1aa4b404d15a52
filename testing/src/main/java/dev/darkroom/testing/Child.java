package dev.darkroom.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A JVM of its own with this one's class path, for what might end it or needs it for itself. */
public final class Child {
    private final Process process;
    private final Path output;

    private Child(Process process, Path output) {
        this.process = process;
        this.output = output;
    }

    /**
     * Returns how to start the main method of a class; its errors go where its output goes.
     *
     * @param options of the JVM
     */
    public static ProcessBuilder jvm(List<String> options, String main, List<String> arguments) {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String classPath = // which Surefire may hold in a manifest
                System.getProperty(
                        "surefire.test.class.path", System.getProperty("java.class.path"));
        List<String> command = new ArrayList<>();
        command.addAll(List.of(java, "--enable-native-access=ALL-UNNAMED"));
        command.add("-XX:-CreateCoredumpOnCrash");
        command.addAll(options);
        command.addAll(List.of("-cp", classPath, main));
        command.addAll(arguments);
        return new ProcessBuilder(command).redirectErrorStream(true);
    }

    /**
     * Starts the main method of a class.
     *
     * @param folder where it runs; its output goes to {@code output.txt} there
     * @param options of the JVM
     */
    public static Child start(Path folder, List<String> options, Class<?> main, String... arguments)
            throws IOException {
        List<String> all = new ArrayList<>();
        all.add("-XX:ErrorFile=" + folder.resolve("crash.txt"));
        all.addAll(options);
        return start(
                jvm(all, main.getName(), List.of(arguments)).directory(folder.toFile()),
                folder.resolve("output.txt"));
    }

    /** Starts a process whose output goes to a file. */
    public static Child start(ProcessBuilder process, Path output) throws IOException {
        return new Child(process.redirectOutput(output.toFile()).start(), output);
    }

    /**
     * Waits until it has ended well.
     *
     * @return what it wrote
     */
    public String requireSuccess(long seconds) throws IOException, InterruptedException {
        boolean ended = process.waitFor(seconds, TimeUnit.SECONDS);
        process.destroyForcibly().waitFor();
        String said = Files.readString(output, StandardCharsets.ISO_8859_1);
        assertTrue(ended, () -> "hangs: " + end(said));
        assertEquals(0, process.exitValue(), () -> end(said));
        return said;
    }

    /** The last lines of a text, all of a short one. */
    private static String end(String text) {
        return text.substring(Math.max(0, text.length() - 8_000));
    }
}
