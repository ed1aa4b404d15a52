package dev.darkroom.runtime.internal.ffi;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

class BundledLibtorchTest {
    private static final List<String> KNOWN =
            List.of("cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34  liba.so");

    @TempDir private Path folder;

    @Test
    void onlyTheLibrariesThatAreKnownAreKept() throws IOException {
        Path library = folder.resolve("liba.so");
        assertRefused();
        Files.writeString(library, "def");
        assertDoesNotThrow(() -> BundledLibtorch.compare(folder, KNOWN));
        assertDoesNotThrow(() -> BundledLibtorch.compare(folder, List.of()));
        Files.writeString(library, "deg");
        assertRefused();
    }

    private void assertRefused() {
        var refusal = assertThrows(IOException.class, () -> BundledLibtorch.compare(folder, KNOWN));
        assertTrue(refusal.getMessage().contains("don't have the liba.so"), refusal.getMessage());
    }
}
