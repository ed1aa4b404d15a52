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
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Tests run on the class path; here Darkroom runs as modules, with natives on the class path. */
class ModulePathTest {
    private static final List<String> MODULES =
            List.of(
                    "jackson-",
                    "picocli",
                    "progressbar",
                    "jline",
                    "xchart",
                    "jspecify",
                    "image-webp-decoder",
                    "metadata-extractor",
                    "xmpcore");

    /** Lossy, of 3×2 pixels, to be turned by a quarter. */
    private static final String WEBP =
            "UklGRmwAAABXRUJQVlA4WAoAAAAIAAAAAgAAAQAAVlA4ICwAAACQAQCdASoDAAIAAsBMJaACdLoAA5gA/uwmX6FG"
                + "yiVS/+k2f8TZ/xNnzaAAAEVYSUYaAAAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAA=";

    @TempDir private Path folder;

    private record Run(int exit, String out, String err) {}

    private Run darkroom(String... arguments) throws Exception {
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
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--enable-native-access=dev.darkroom.runtime,dev.darkroom.bindings",
                                "--module-path",
                                String.join(File.pathSeparator, modules),
                                "--class-path",
                                String.join(File.pathSeparator, natives),
                                "--module",
                                "dev.darkroom.cli/dev.darkroom.cli.Main"));
        command.addAll(List.of(arguments));
        Process java =
                new ProcessBuilder(command)
                        .redirectOutput(out.toFile())
                        .redirectError(err.toFile())
                        .start();
        java.getOutputStream().close();
        assertTrue(java.waitFor(120, TimeUnit.SECONDS));
        return new Run(java.exitValue(), text(out), text(err));
    }

    @Test
    void theDoctorFindsLibtorchFromNamedModules() throws Exception {
        Run run = darkroom("doctor");
        assertEquals("", run.err());
        assertEquals(0, run.exit(), run.out());
        assertTrue(run.out().contains("Darkroom can run here."), run.out());
    }

    /** Their reader and that of their metadata are libraries without module descriptors. */
    @Test
    void picturesAreReadFromNamedModules() throws Exception {
        Path data = Files.createDirectories(folder.resolve("data"));
        Files.write(data.resolve("red.webp"), Base64.getDecoder().decode(WEBP));
        Files.writeString(data.resolve("red.txt"), "red");
        Path config = Files.writeString(folder.resolve("words.json"), "{\"vocabularySize\": 30}");
        Run run =
                darkroom(
                        "train",
                        "tokenizer",
                        "--config",
                        config.toString(),
                        "--data",
                        data.toString(),
                        "--dry-run");
        assertEquals("", run.err());
        assertEquals(0, run.exit());
        assertTrue(run.out().startsWith("pictures: 1, of 2×3\n"), run.out());
    }

    private static boolean isModule(Path path) {
        return Files.exists(path.resolve("module-info.class"));
    }

    private static String text(Path file) throws IOException {
        return Files.readString(file, StandardCharsets.UTF_8);
    }
}
