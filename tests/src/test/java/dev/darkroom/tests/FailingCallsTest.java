package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.Diagnosis;

import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A native call that fails, whichever it is, ends in an exception and leaves nothing. A sample of
 * all calls in every build; {@code -Ddarkroom.attack.every=true} lets each of them fail.
 */
@EnabledOnOs(OS.LINUX)
class FailingCallsTest {
    private static final boolean EVERY = Boolean.getBoolean("darkroom.attack.every");

    @ParameterizedTest
    @ValueSource(strings = {"load", "sample", "train"})
    void anyCallMayFail(String use, @TempDir Path folder) throws Exception {
        Path library = library();
        assertTrue(Files.exists(library), library + ": made by the native module's tests");
        Process child =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--enable-native-access=ALL-UNNAMED",
                                "-Xmx512m",
                                "-XX:-CreateCoredumpOnCrash",
                                "-XX:ErrorFile=" + folder.resolve("crash.txt"),
                                "-Ddarkroom.shim=" + library.toAbsolutePath(),
                                "-cp",
                                System.getProperty("java.class.path"),
                                FailingCalls.class.getName(),
                                Cases.named("pixart_alpha")
                                        .resolve("model")
                                        .toRealPath()
                                        .toString(),
                                EVERY ? "0" : "3",
                                use)
                        .directory(folder.toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(folder.resolve("output.txt").toFile())
                        .start();
        boolean ended = child.waitFor(EVERY ? 36_000 : 180, TimeUnit.SECONDS);
        child.destroyForcibly();
        String output = Files.readString(folder.resolve("output.txt"));
        System.out.print(output);
        assertTrue(ended, "hangs: " + output);
        assertEquals(0, child.exitValue(), output);
    }

    /** Beside the shim that was made for the libtorch in use. */
    private static Path library() {
        String version = Diagnosis.loaded().version();
        return Path.of(
                System.getProperty("darkroom.failing", "../native/target/cmake-" + version),
                "libfailing.so");
    }
}
