package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.testing.Child;

import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Memory that runs out at any moment ends a request and nothing else. A few moments in every build;
 * {@code -Ddarkroom.attack.failures} asks for more, {@code -Ddarkroom.attack.seed} for others.
 */
@EnabledOnOs(OS.LINUX)
class ScarceMemoryTest {
    @ParameterizedTest
    @CsvSource({
        "heap, sample",
        "heap, load",
        "heap, train vae",
        "allocations, sample",
        "allocations, train vae"
    })
    void theNextRequestIsAsBefore(String what, String use, @TempDir Path folder) throws Exception {
        int failures = Integer.getInteger("darkroom.attack.failures", 5);
        Path library = library();
        assertTrue(Files.exists(library), library + ": made by the native module's tests");
        System.out.print(
                Child.start(
                                folder,
                                options(what, library),
                                ScarceMemory.class,
                                what,
                                Cases.model("pixart_alpha"),
                                Integer.toString(failures),
                                System.getProperty("darkroom.attack.seed", "1"),
                                use)
                        .requireSuccess(120 + 20L * failures));
    }

    private static List<String> options(String what, Path library) {
        var options = new ArrayList<String>();
        options.addAll(
                what.equals("heap") ? ScarceMemory.HEAP_OPTIONS : ScarceMemory.NATIVE_OPTIONS);
        options.add("-Ddarkroom.scarce=" + library.toAbsolutePath());
        return options;
    }

    /** Beside the shim that was made for the libtorch in use. */
    private static Path library() {
        String version = Diagnosis.loaded().version();
        return Path.of(
                System.getProperty("darkroom.failing", "../native/target/cmake-" + version),
                "libscarce.so");
    }
}
