package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.darkroom.models.pipeline.Picture;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.CRC32;

import javax.imageio.ImageIO;

class PngTest {
    private record Chunk(String type, byte[] data) {}

    private static byte[] encode(Picture picture, Map<String, String> texts) throws IOException {
        var out = new ByteArrayOutputStream();
        Png.write(Raster.of(picture), texts, out);
        return out.toByteArray();
    }

    /** Takes the file apart by the letter of the specification. */
    private static List<Chunk> chunks(byte[] png) {
        var in = ByteBuffer.wrap(png);
        var signature = new byte[8];
        in.get(signature);
        assertArrayEquals(new byte[] {-119, 80, 78, 71, 13, 10, 26, 10}, signature);
        var chunks = new ArrayList<Chunk>();
        while (in.hasRemaining()) {
            var data = new byte[in.getInt()];
            var type = new byte[4];
            in.get(type);
            in.get(data);
            var crc = new CRC32();
            crc.update(type);
            crc.update(data);
            assertEquals((int) crc.getValue(), in.getInt());
            chunks.add(new Chunk(new String(type, StandardCharsets.US_ASCII), data));
        }
        return chunks;
    }

    private static void assertReadsBack(Picture picture) throws IOException {
        byte[] png = encode(picture, Map.of());
        chunks(png);
        var image = ImageIO.read(new ByteArrayInputStream(png));
        assertEquals(picture.width(), image.getWidth());
        assertEquals(picture.height(), image.getHeight());
        for (int y = 0, at = 0; y < picture.height(); y++) {
            for (int x = 0; x < picture.width(); x++, at += 3) {
                byte[] rgb = picture.rgb();
                int expected =
                        (rgb[at] & 0xff) << 16 | (rgb[at + 1] & 0xff) << 8 | rgb[at + 2] & 0xff;
                assertEquals(expected, image.getRGB(x, y) & 0xffffff, x + "," + y);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3, 4})
    void everyKindOfPictureReadsBack(int kind) throws IOException {
        var random = new Random(kind);
        for (int round = 0; round < 8; round++) {
            int width = 1 + random.nextInt(40);
            int height = 1 + random.nextInt(40);
            var rgb = new byte[3 * width * height];
            for (int i = 0; i < rgb.length; i++) {
                int x = i / 3 % width;
                int y = i / 3 / width;
                rgb[i] =
                        (byte)
                                switch (kind) {
                                    case 0 -> random.nextInt(256);
                                    case 1 -> 50 * x;
                                    case 2 -> 50 * y;
                                    case 3 -> 50 * x + 70 * y + random.nextInt(3);
                                    default -> 3 * x * y;
                                };
            }
            assertReadsBack(new Picture(width, height, rgb));
        }
    }

    @Test
    void aLargePictureHasSeveralDataChunks() throws IOException {
        var rgb = new byte[3 * 300 * 200];
        new Random(7).nextBytes(rgb);
        var picture = new Picture(300, 200, rgb);
        assertReadsBack(picture);
        long chunks =
                chunks(encode(picture, Map.of())).stream()
                        .filter(chunk -> chunk.type.equals("IDAT"))
                        .count();
        assertEquals(3, chunks);
    }

    @Test
    void latinTextIsPlainAndOtherTextIsUtf8() throws IOException {
        var dot = new Picture(1, 1, new byte[3]);
        Chunk latin = chunks(encode(dot, Map.of("parameters", "größer\nSteps: 4"))).get(1);
        assertEquals("tEXt", latin.type);
        assertEquals(
                "parameters\0größer\nSteps: 4",
                new String(latin.data, StandardCharsets.ISO_8859_1));
        for (String text : List.of("a ♥", "tab\t", "\u0085", "😀")) {
            Chunk other = chunks(encode(dot, Map.of("darkroom", text))).get(1);
            assertEquals("iTXt", other.type);
            assertEquals(
                    "darkroom\0\0\0\0\0" + text, new String(other.data, StandardCharsets.UTF_8));
        }
    }

    /** Readers end a text there, or refuse the file. */
    @Test
    void noTextHoldsACharacterOfValueZero() throws IOException {
        var dot = new Picture(1, 1, new byte[3]);
        Chunk text = chunks(encode(dot, Map.of("parameters", "a\0b"))).get(1);
        assertEquals("iTXt", text.type);
        assertEquals("parameters\0\0\0\0\0a\ufffdb", new String(text.data, StandardCharsets.UTF_8));
    }

    @Test
    void theSamePictureGivesTheSameBytes() throws IOException {
        var rgb = new byte[3 * 64 * 64];
        new Random(7).nextBytes(rgb);
        var texts = Map.of("parameters", "a");
        assertArrayEquals(
                encode(new Picture(64, 64, rgb), texts), encode(new Picture(64, 64, rgb), texts));
    }
}
