package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.runtime.Kernels;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

class DoctorCommandTest {
    @Test
    void tellsWhatIsFound() {
        var libtorch = Diagnosis.loaded();
        var run = Run.darkroom("doctor");
        assertEquals("", run.err());
        assertEquals(0, run.exit());
        for (String expected :
                List.of(
                        "java ",
                        "platform ",
                        "processor ",
                        "memory ",
                        "cache folder ",
                        "-Ddarkroom.libtorch ",
                        "LIBTORCH ",
                        "natives on the class path ",
                        "an installed Python torch ",
                        libtorch.version(),
                        libtorch.directory().toString(),
                        libtorch.shim().toString(),
                        libtorch.cpuCapability(),
                        Kernels.current().toString().replace(',', ' '),
                        "devices ",
                        "Darkroom can run here.")) {
            assertTrue(run.out().contains(expected), expected + " in " + run.out());
        }
    }

    @Test
    void jsonHasTheSame() throws IOException {
        var run = Run.darkroom("doctor", "--json");
        assertEquals(0, run.exit());
        var used = new JsonMapper().readTree(run.out()).get("libtorch used");
        assertEquals(Diagnosis.loaded().version(), used.get("version").asText());
        assertEquals("cpu", used.get("devices").get(0).asText());
    }

    @Test
    void saysWhyItCannotRunAndWhatToDo(@TempDir Path empty)
            throws IOException, InterruptedException {
        // In a JVM of its own: this one has its libtorch already.
        for (String option :
                List.of("-Ddarkroom.libtorch=" + empty, "-Ddarkroom.cache=/dev/null")) {
            var command =
                    new ArrayList<>(
                            List.of(
                                    Path.of(System.getProperty("java.home"), "bin", "java")
                                            .toString(),
                                    "--enable-native-access=ALL-UNNAMED",
                                    option,
                                    "-cp",
                                    System.getProperty("java.class.path"),
                                    "dev.darkroom.cli.Main",
                                    "doctor"));
            var process = new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            String said =
                    new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertEquals(1, process.waitFor(), said);
            assertTrue(said.contains("Darkroom can't run here: "), said);
            assertTrue(said.contains(option.substring(option.indexOf('=') + 1)), said);
        }
    }
}
