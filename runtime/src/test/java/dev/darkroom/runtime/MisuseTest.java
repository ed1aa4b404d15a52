package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * {@link Misuse} in a JVM of its own: {@code -Ddarkroom.attack.misuse=5000000} for the long form,
 * {@code -Ddarkroom.attack.seed=7} for other calls.
 */
class MisuseTest {
    private static final long CALLS = Long.getLong("darkroom.attack.misuse", 20_000);
    private static final long SEED = Long.getLong("darkroom.attack.seed", 1);

    @ParameterizedTest
    @ValueSource(strings = {"platform", "virtual"})
    void bringsNothingDown(String threads, @TempDir Path folder) throws Exception {
        Process child =
                Child.start(
                        folder,
                        List.of(),
                        Misuse.class,
                        threads,
                        String.valueOf(SEED),
                        String.valueOf(CALLS),
                        folder.toString());
        boolean ended = child.waitFor(120 + CALLS / 1000, TimeUnit.SECONDS);
        child.destroyForcibly().waitFor();
        String output = Files.readString(folder.resolve("output.txt"));
        System.out.println(output);
        assertTrue(ended, () -> "hangs, seed " + SEED + "\n" + output);
        assertEquals(0, child.exitValue(), () -> describe(folder));
    }

    /** The calls that the threads were in. */
    private static String describe(Path folder) {
        try {
            LongBuffer inFlight = Misuse.map(folder);
            var methods = PublicMethods.all();
            List<String> calls = new ArrayList<>();
            for (int i = 0; i < inFlight.capacity(); i++) {
                if (inFlight.get(i) > 0) {
                    calls.add(
                            i + ": " + PublicMethods.name(methods.get((int) inFlight.get(i) - 1)));
                }
            }
            Path crash = folder.resolve("crash.txt");
            return "seed "
                    + SEED
                    + ", in flight "
                    + calls
                    + (Files.exists(crash)
                            ? "\n" + Files.readString(crash).lines().limit(80).toList()
                            : "");
        } catch (IOException e) {
            return e.toString();
        }
    }
}
