package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.testing.Child;

import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * A native call that fails, whichever it is, ends in an exception and leaves nothing. A sample of
 * all calls in every build; {@code -Ddarkroom.attack.every=true} lets each of them fail.
 */
@EnabledOnOs(OS.LINUX)
class FailingCallsTest {
    private static final boolean EVERY = Boolean.getBoolean("darkroom.attack.every");

    @ParameterizedTest
    @ValueSource(strings = {"load", "sample", "train vae", "train diffusion"})
    void anyCallMayFail(String use, @TempDir Path folder) throws Exception {
        Path library = library();
        assertTrue(Files.exists(library), library + ": made by the native module's tests");
        System.out.print(
                Child.start(
                                folder,
                                List.of("-Xmx512m", "-Ddarkroom.shim=" + library.toAbsolutePath()),
                                FailingCalls.class,
                                Cases.model("pixart_alpha"),
                                EVERY ? "0" : "3",
                                use)
                        .requireSuccess(EVERY ? 36_000 : 180));
    }

    /** Beside the shim that was made for the libtorch in use. */
    private static Path library() {
        String version = Diagnosis.loaded().version();
        return Path.of(
                System.getProperty("darkroom.failing", "../native/target/cmake-" + version),
                "libfailing.so");
    }
}
