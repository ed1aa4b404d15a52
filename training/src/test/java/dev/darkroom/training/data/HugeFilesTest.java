package dev.darkroom.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;
import java.util.zip.DeflaterOutputStream;

import javax.imageio.ImageIO;

/** What is huge, or unpacks to it, is seen before anything is allocated. */
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

    /**
     * A few kilobytes that a reader of metadata would unpack to 64 MB, or to as much as you like.
     */
    @ParameterizedTest
    @ValueSource(strings = {"zTXt\0Raw profile type exif\0\0", "iTXt\0XML:com.adobe.xmp\0\1\0\0\0"})
    void textsOfAPngThatUnpackToMuchArePassedOver(String start) throws IOException {
        String type = start.substring(0, 4);
        var packed = new ByteArrayOutputStream();
        packed.writeBytes(start.substring(5).getBytes(StandardCharsets.ISO_8859_1));
        try (var deflater = new DeflaterOutputStream(packed)) {
            for (int i = 0; i < 64; i++) {
                deflater.write(new byte[1 << 20]);
            }
        }
        var picture = new BufferedImage(2, 1, BufferedImage.TYPE_INT_RGB);
        var plain = new ByteArrayOutputStream();
        ImageIO.write(picture, "png", plain);
        byte[] file = withChunk(plain.toByteArray(), type, packed.toByteArray());
        assertArrayEquals(plain.toByteArray(), PngFile.withFewTexts(file));
        assertEquals(2, PictureFile.read(Files.write(folder.resolve("a.png"), file)).width());

        byte[] small = withChunk(plain.toByteArray(), "tEXt", new byte[] {'a', 0, 'b'});
        assertSame(small, PngFile.withFewTexts(small));
    }

    /** A PNG with one more chunk behind its header. */
    private static byte[] withChunk(byte[] png, String name, byte[] data) {
        byte[] type = name.getBytes(StandardCharsets.US_ASCII);
        var crc = new CRC32();
        crc.update(type);
        crc.update(data);
        int header = 8 + 12 + 13;
        return ByteBuffer.allocate(png.length + 12 + data.length)
                .put(png, 0, header)
                .putInt(data.length)
                .put(type)
                .put(data)
                .putInt((int) crc.getValue())
                .put(png, header, png.length - header)
                .array();
    }

    @Test
    void aHugeCaptionIsRefused() throws IOException {
        Path file = terabyte("a.txt");
        var refusal = assertThrows(DataException.class, () -> TextFile.read(file));
        assertTrue(refusal.getMessage().contains("it has 1.00 TiB"), refusal.getMessage());
    }
}
