package dev.darkroom.common;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
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

    @Test
    void aFolderAppearsWithAllThatIsInIt() throws IOException {
        Path made = folder.resolve("made");
        WholeFile.writeFolder(
                made,
                into -> {
                    Files.writeString(
                            Files.createDirectory(into.resolve("part")).resolve("a"), "b");
                    assertFalse(Files.exists(made));
                });
        assertEquals("b", Files.readString(made.resolve("part/a")));
        assertEquals(List.of("made"), names());
        for (Path taken : List.of(made, Files.createSymbolicLink(folder.resolve("link"), made))) {
            var refused =
                    assertThrows(
                            FileAlreadyExistsException.class,
                            () -> WholeFile.writeFolder(taken, into -> {}));
            assertTrue(refused.getMessage().contains("is there already"), refused.getMessage());
        }
        assertThrows(
                NoSuchFileException.class,
                () -> WholeFile.writeFolder(folder.resolve("no/where"), into -> {}));
        assertEquals(List.of("link", "made"), names());
    }

    @Test
    void aFailureLeavesNothingOfAFolder() throws IOException {
        Path made = folder.resolve("made");
        var failure =
                assertThrows(
                        IOException.class,
                        () ->
                                WholeFile.writeFolder(
                                        made,
                                        into -> {
                                            Files.writeString(into.resolve("a"), "half");
                                            throw new IOException("No space left on device");
                                        }));
        assertEquals(made + " can't be written: No space left on device", failure.getMessage());
        assertThrows(
                IllegalStateException.class,
                () ->
                        WholeFile.writeFolder(
                                made,
                                into -> {
                                    Files.writeString(into.resolve("a"), "half");
                                    throw new IllegalStateException();
                                }));
        assertEquals(List.of(), names());
    }

    /** A large file may be written for hours, while nothing happens to the folder that it is in. */
    @Test
    void aFolderIsAsNewAsWhatIsInIt() throws IOException {
        FileTime old = FileTime.from(Instant.now().minus(Duration.ofHours(1)));
        Path stale = Files.createDirectory(folder.resolve(".darkroom-1.tmp"));
        Path live = Files.createDirectory(folder.resolve(".darkroom-2.tmp"));
        Files.setLastModifiedTime(Files.createFile(stale.resolve("a")), old);
        Files.createFile(live.resolve("a"));
        Files.setLastModifiedTime(stale, old);
        Files.setLastModifiedTime(live, old);
        WholeFile.writeFolder(folder.resolve("made"), into -> {});
        assertEquals(List.of(".darkroom-2.tmp", "made"), names());
    }
}
