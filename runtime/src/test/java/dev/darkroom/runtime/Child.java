package dev.darkroom.runtime;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** JVMs of their own, for what might end one. */
final class Child {
    private Child() {}

    /**
     * Starts the main method of a class with this JVM's class path.
     *
     * @param folder where it runs; its output goes to {@code output.txt} there
     */
    static Process start(Path folder, List<String> options, Class<?> main, String... arguments)
            throws IOException {
        return start(folder, Map.of(), options, main, arguments);
    }

    /** Starts it with more in its environment. */
    static Process start(
            Path folder,
            Map<String, String> environment,
            List<String> options,
            Class<?> main,
            String... arguments)
            throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("--enable-native-access=ALL-UNNAMED");
        command.add("-Xmx512m");
        command.add("-XX:-CreateCoredumpOnCrash");
        command.add("-XX:ErrorFile=" + folder.resolve("crash.txt"));
        command.addAll(options);
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(main.getName());
        command.addAll(List.of(arguments));
        File output = folder.resolve("output.txt").toFile();
        ProcessBuilder child =
                new ProcessBuilder(command)
                        .directory(folder.toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.appendTo(output));
        // glibc then gives freed memory back at once, so that its use is seen
        child.environment().put("MALLOC_MMAP_THRESHOLD_", "65536");
        child.environment().putAll(environment);
        return child.start();
    }
}
