package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

class OutputTest {
    @TempDir private Path folder;

    private static List<Path> paths(String... names) {
        return Stream.of(names).map(Path::of).toList();
    }

    @Test
    void placeholdersStandForSeedAndIndex() {
        assertEquals(
                paths("a/7-1.png", "a/8-2.png"), new Output("a/{seed}-{index}.png").files(7, 2));
        assertEquals(paths("x7x7.PNG"), new Output("x{seed}x{seed}.PNG").files(7, 1));
        assertEquals(Path.of("7.png"), new Output("{seed}.png").file(7));
    }

    @Test
    void numbersAreAppendedToABatchWithoutPlaceholders() {
        assertEquals(paths("a.png"), new Output("a.png").files(7, 1));
        assertEquals(paths("a-1.png", "a-2.png"), new Output("a.png").files(7, 2));
    }

    @Test
    void otherEndingsAndPlaceholdersAreRefused() {
        for (String name : List.of("a.jpg", "a", "png", "", "a.png/")) {
            var error = assertThrows(IllegalArgumentException.class, () -> new Output(name));
            assertTrue(error.getMessage().contains("'" + name + "'"), error.getMessage());
        }
        var error = assertThrows(IllegalArgumentException.class, () -> new Output("{sed}.png"));
        assertEquals("no placeholder {sed}; there are {seed} and {index}", error.getMessage());
    }

    @Test
    void unwritablePlacesAreNamedBeforehand() throws IOException {
        Path file = Files.createFile(folder.resolve("file"));
        Path missing = folder.resolve("missing");
        for (Path output : List.of(missing.resolve("a.png"), file.resolve("a.png"), folder)) {
            var error = assertThrows(IOException.class, () -> Output.requireWritable(output));
            assertTrue(error.getMessage().contains(output.toString()), error.getMessage());
        }
        Output.requireWritable(folder.resolve("a.png"));
        assertEquals(List.of(file), files());
    }

    @Test
    void aFileHasOnePath() throws IOException {
        Path real = Files.createDirectory(folder.resolve("real"));
        Path link = Files.createSymbolicLink(folder.resolve("link"), real);
        assertEquals(Output.real(real.resolve("a.png")), Output.real(link.resolve("a.png")));
        assertEquals(Output.real(real.resolve("a.png")), Output.real(real.resolve("b/../a.png")));
        Path missing = folder.resolve("missing/a.png");
        assertEquals(missing.toAbsolutePath(), Output.real(missing));
    }

    @Test
    void filesAreWrittenInFullOrNotAtAll() throws IOException {
        Path file = folder.resolve("a.png");
        Output.write(file, out -> out.write(new byte[] {1, 2}));
        assertThrows(
                IOException.class,
                () ->
                        Output.write(
                                file,
                                out -> {
                                    out.write(3);
                                    throw new IOException("disk full");
                                }));
        assertArrayEquals(new byte[] {1, 2}, Files.readAllBytes(file));
        Output.write(file, out -> out.write(4));
        assertArrayEquals(new byte[] {4}, Files.readAllBytes(file));
        assertEquals(List.of(file), files());
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
    }
}
