package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Tests run on the class path; here Darkroom runs as modules, with natives on the class path. */
class ModulePathTest {
    private static final List<String> MODULES =
            List.of("jackson-", "picocli", "progressbar", "jline", "xchart", "jspecify");

    @Test
    void theDoctorFindsLibtorchFromNamedModules(@TempDir Path folder) throws Exception {
        List<String> modules = new ArrayList<>();
        List<String> natives = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            Path path = Path.of(entry);
            String name = path.getFileName().toString();
            if (isModule(path) || MODULES.stream().anyMatch(name::startsWith)) {
                modules.add(entry);
            } else if (entry.contains("bytedeco") || entry.contains("native")) {
                natives.add(entry);
            }
        }
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        Process java =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--enable-native-access=dev.darkroom.runtime,dev.darkroom.bindings",
                                "--module-path",
                                String.join(File.pathSeparator, modules),
                                "--class-path",
                                String.join(File.pathSeparator, natives),
                                "--module",
                                "dev.darkroom.cli/dev.darkroom.cli.Main",
                                "doctor")
                        .redirectOutput(out.toFile())
                        .redirectError(err.toFile())
                        .start();
        java.getOutputStream().close();
        assertTrue(java.waitFor(120, TimeUnit.SECONDS));

        assertEquals("", text(err));
        assertEquals(0, java.exitValue(), text(out));
        assertTrue(text(out).contains("Darkroom can run here."), text(out));
    }

    private static boolean isModule(Path path) {
        return Files.exists(path.resolve("module-info.class"));
    }

    private static String text(Path file) throws IOException {
        return Files.readString(file, StandardCharsets.UTF_8);
    }
}
