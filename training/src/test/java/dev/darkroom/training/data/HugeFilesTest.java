package dev.darkroom.training.data;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;

/** Files of a terabyte are refused before anything is allocated. */
@Timeout(60)
class HugeFilesTest {
    @TempDir private Path folder;

    private Path terabyte(String name) throws IOException {
        Path file = folder.resolve(name);
        try (var sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(1L << 40);
        }
        return file;
    }

    @Test
    void aHugePictureIsRefused() throws IOException {
        Path file = terabyte("a.png");
        var refusal = assertThrows(DataException.class, () -> PictureFile.read(file));
        assertTrue(refusal.getMessage().contains("it has 1.00 TiB"), refusal.getMessage());
    }

    @Test
    void aHugeCaptionIsRefused() throws IOException {
        Path file = terabyte("a.txt");
        var refusal = assertThrows(DataException.class, () -> TextFile.read(file));
        assertTrue(refusal.getMessage().contains("it has 1.00 TiB"), refusal.getMessage());
    }
}
