package dev.darkroom.runtime.internal.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;

@Timeout(30)
class LibtorchLocationTest {
    @TempDir private Path folder;

    private Path ask(String script, Duration patience) throws IOException {
        Path python = folder.resolve("python3");
        Files.writeString(python, "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(python, PosixFilePermissions.fromString("rwx------"));
        return LibtorchLocation.pythonTorch(python.toString(), patience);
    }

    @Test
    void takesPythonsAnswer() throws IOException {
        assertEquals(Path.of("/some/torch"), ask("echo /some/torch", Duration.ofSeconds(20)));
        assertNull(ask("echo", Duration.ofSeconds(20)));
    }

    @Test
    void aPythonThatHangsIsNotWaitedFor() throws IOException {
        assertNull(ask("sleep 600", Duration.ofMillis(300)));
    }

    @Test
    void norIsWhatItHasStarted() throws IOException {
        assertEquals(
                Path.of("/some/torch"), ask("sleep 20 & echo /some/torch", Duration.ofSeconds(20)));
    }

    @Test
    void orOneThatPrintsWithoutEnd() throws IOException {
        assertNull(ask("yes", Duration.ofMillis(300)));
    }

    @Test
    void aMissingPythonHasNoTorch() {
        assertNull(
                LibtorchLocation.pythonTorch(
                        folder.resolve("absent").toString(), Duration.ofSeconds(1)));
    }
}
