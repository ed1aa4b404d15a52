package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A JVM of its own with this one's class path, for what might end it or needs it for itself. */
final class Child {
    private final Process process;
    private final Path output;

    private Child(Process process, Path output) {
        this.process = process;
        this.output = output;
    }

    /**
     * Starts the main method of a class.
     *
     * @param folder where it runs; its output goes to {@code output.txt} there
     * @param options of the JVM
     */
    static Child start(Path folder, List<String> options, Class<?> main, String... arguments)
            throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("--enable-native-access=ALL-UNNAMED");
        command.add("-XX:-CreateCoredumpOnCrash");
        command.add("-XX:ErrorFile=" + folder.resolve("crash.txt"));
        command.addAll(options);
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(main.getName());
        command.addAll(List.of(arguments));
        Path output = folder.resolve("output.txt");
        var process =
                new ProcessBuilder(command)
                        .directory(folder.toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .start();
        return new Child(process, output);
    }

    /** Waits until it has ended well, prints what it said and returns it. */
    String requireSuccess(long seconds) throws IOException, InterruptedException {
        boolean ended = process.waitFor(seconds, TimeUnit.SECONDS);
        process.destroyForcibly();
        String said = Files.readString(output);
        System.out.print(said);
        assertTrue(ended, "hangs: " + said);
        assertEquals(0, process.exitValue(), said);
        return said;
    }

    /** A case's model, wherever the child runs. */
    static String model(String name) throws IOException {
        return Cases.named(name).resolve("model").toRealPath().toString();
    }
}
