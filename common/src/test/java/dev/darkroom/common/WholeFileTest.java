package dev.darkroom.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Stream;

class WholeFileTest {
    @TempDir private Path folder;

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void aFileIsReplacedAsAWhole() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "before");
        WholeFile.write(
                file,
                temporary -> {
                    Files.writeString(temporary, "after");
                    assertEquals("before", Files.readString(file));
                });
        assertEquals("after", Files.readString(file));
        assertEquals(List.of("file"), names());
    }

    @Test
    void aFailureNamesTheFileAndLeavesNothing() throws IOException {
        var failure =
                assertThrows(
                        IOException.class,
                        () ->
                                WholeFile.write(
                                        folder.resolve("file"),
                                        temporary -> {
                                            Files.writeString(temporary, "half");
                                            throw new IOException("No space left on device");
                                        }));
        assertEquals(
                folder.resolve("file") + " can't be written: No space left on device",
                failure.getMessage());
        assertEquals(List.of(), names());
    }

    @Test
    void whatAKilledProcessLeftIsSweptButNotWhatIsBeingWritten() throws IOException {
        Path stale = WholeFile.temporary(folder);
        Path fresh = WholeFile.temporary(folder);
        Files.setLastModifiedTime(stale, FileTime.from(Instant.now().minus(Duration.ofHours(1))));
        Path foreign = Files.createFile(folder.resolve(".other-1.tmp"));
        Files.setLastModifiedTime(foreign, FileTime.fromMillis(0));
        WholeFile.write(folder.resolve("file"), temporary -> Files.writeString(temporary, "x"));
        assertFalse(Files.exists(stale));
        assertEquals(List.of(fresh.getFileName().toString(), ".other-1.tmp", "file"), names());
    }
}
