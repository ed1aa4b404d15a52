package dev.darkroom.runtime.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** Thousands of training steps take no more memory than a few. */
class FlatTrainingTest {
    @Test
    void memoryStaysAsItIs() throws IOException, InterruptedException {
        Process process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--enable-native-access=ALL-UNNAMED",
                                // A heap that is there from the start, so that what grows is
                                // native, and one compiler, which is done after the warm-up.
                                "-Xms64m",
                                "-Xmx64m",
                                "-XX:+AlwaysPreTouch",
                                "-XX:+UseSerialGC",
                                "-XX:TieredStopAtLevel=1",
                                "-cp",
                                System.getProperty(
                                        "surefire.test.class.path",
                                        System.getProperty("java.class.path")),
                                FlatTraining.class.getName())
                        .redirectErrorStream(true)
                        .start();
        List<String> said;
        try (BufferedReader out = process.inputReader()) {
            said = out.lines().toList();
        }
        assertEquals(0, process.waitFor(), () -> String.join("\n", said));
        List<Long> numbers = said.stream().map(Long::valueOf).toList();
        long resident = numbers.get(1);
        long after = numbers.get(3);
        System.out.printf(
                "resident %d KiB after %d training steps, %d after %d%n",
                resident, FlatTraining.WARM_UP, after, FlatTraining.STEPS);
        assertEquals(numbers.get(0), numbers.get(2), "live tensors");
        assertTrue(after <= 1.01 * resident, resident + " KiB grew to " + after);
        assertEquals(0, numbers.get(4), "live tensors at the end");
    }
}
