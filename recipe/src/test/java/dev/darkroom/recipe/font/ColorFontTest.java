package dev.darkroom.recipe.font;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

import javax.imageio.ImageIO;

class ColorFontTest {
    private static final int CHARACTER = 0x1f600;
    private static final int GLYPH = 5;

    @TempDir private Path folder;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void readsThePictureOfACharacter(int indexFormat) throws IOException {
        BufferedImage picture = ColorFont.read(font(indexFormat, 17)).picture(CHARACTER + 1);
        assertNotNull(picture);
        assertArrayEquals(pixels(picture(1)), pixels(picture));
    }

    @ParameterizedTest
    @ValueSource(ints = {17, 18, 19})
    void skipsTheMetricsOfEveryImageFormat(int imageFormat) throws IOException {
        BufferedImage picture = ColorFont.read(font(1, imageFormat)).picture(CHARACTER);
        assertArrayEquals(pixels(picture(0)), pixels(picture));
    }

    @Test
    void hasNoPictureOfOtherCharacters() throws IOException {
        assertNull(ColorFont.read(font(1, 17)).picture('a'));
    }

    @Test
    void namesWhatItCanNotRead() throws IOException {
        assertFails(font(5, 17), "index format 5");
        Path other = font(1, 1);
        var font = ColorFont.read(other);
        var failure = assertThrows(IOException.class, () -> font.picture(CHARACTER));
        assertTrue(failure.getMessage().contains("image format: 1"), failure.getMessage());
    }

    @Test
    void namesTheTableThatIsMissing() throws IOException {
        Path file = folder.resolve("empty.ttf");
        Files.write(file, sfnt(Map.of()));
        assertFails(file, "no table cmap");
    }

    @Test
    void saysThatAFileIsCutShort() throws IOException {
        Path whole = font(1, 17);
        byte[] bytes = Files.readAllBytes(whole);
        Path cut = folder.resolve("cut.ttf");
        for (int length = 0; length < bytes.length; length += 7) {
            Files.write(cut, Arrays.copyOf(bytes, length));
            assertFails(cut, "cut.ttf: ");
        }
    }

    private static void assertFails(Path file, String message) {
        var failure = assertThrows(IOException.class, () -> ColorFont.read(file));
        assertTrue(failure.getMessage().contains(message), failure.getMessage());
    }

    /** Two pictures for two characters, and a smaller strike that is not to be used. */
    private Path font(int indexFormat, int imageFormat) throws IOException {
        int metrics = imageFormat == 17 ? 5 : imageFormat == 18 ? 8 : 0;
        byte[][] pngs = {png(picture(0)), png(picture(1))};
        int size = metrics + 4 + Math.max(pngs[0].length, pngs[1].length);
        size += size % 2;
        var cbdt = ByteBuffer.allocate(4 + 2 * size).putInt(0x00030000);
        for (int i = 0; i < 2; i++) {
            cbdt.position(4 + i * size + metrics);
            cbdt.putInt(pngs[i].length).put(pngs[i]);
        }
        Map<String, byte[]> tables = new LinkedHashMap<>();
        tables.put("CBDT", cbdt.array());
        tables.put("CBLC", cblc(indexFormat, imageFormat, size));
        tables.put("cmap", cmap());
        Path file = folder.resolve("font.ttf");
        Files.write(file, sfnt(tables));
        return file;
    }

    private static byte[] cblc(int indexFormat, int imageFormat, int size) {
        int array = 8 + 2 * 48;
        var cblc = ByteBuffer.allocate(array + 8 + 64).putInt(0x00030000).putInt(2);
        for (int strike = 0; strike < 2; strike++) {
            int at = 8 + 48 * strike;
            cblc.putInt(at, array).putInt(at + 8, strike == 0 ? 0 : 1);
            cblc.put(at + 44, (byte) (strike == 0 ? 20 : 109));
        }
        cblc.position(array);
        cblc.putShort((short) GLYPH).putShort((short) (GLYPH + 1)).putInt(8);
        cblc.putShort((short) indexFormat).putShort((short) imageFormat).putInt(4);
        switch (indexFormat) {
            case 1 -> cblc.putInt(0).putInt(size).putInt(2 * size);
            case 2 -> cblc.putInt(size);
            default -> cblc.putShort((short) 0).putShort((short) size).putShort((short) (2 * size));
        }
        return cblc.array();
    }

    private static byte[] cmap() {
        return ByteBuffer.allocate(40)
                .putInt(1)
                .putInt(0x0003000a)
                .putInt(12)
                .putInt(0x000c0000)
                .putInt(28)
                .putInt(0)
                .putInt(1)
                .putInt(CHARACTER)
                .putInt(CHARACTER + 1)
                .putInt(GLYPH)
                .array();
    }

    private static byte[] sfnt(Map<String, byte[]> tables) {
        int header = 12 + 16 * tables.size();
        int total = header + tables.values().stream().mapToInt(table -> table.length).sum();
        var font = ByteBuffer.allocate(total).putInt(0x00010000);
        font.putShort((short) tables.size());
        int entry = 12;
        int at = header;
        for (Map.Entry<String, byte[]> table : tables.entrySet()) {
            font.position(entry);
            font.put(table.getKey().getBytes(StandardCharsets.US_ASCII)).putInt(0);
            font.putInt(at).putInt(table.getValue().length);
            font.position(at);
            font.put(table.getValue());
            entry += 16;
            at += table.getValue().length;
        }
        return font.array();
    }

    private static BufferedImage picture(int number) {
        var picture = new BufferedImage(3, 2, BufferedImage.TYPE_INT_ARGB);
        picture.setRGB(1, 1, number == 0 ? 0xffff0000 : 0x800000ff);
        return picture;
    }

    private static byte[] png(BufferedImage picture) throws IOException {
        var out = new ByteArrayOutputStream();
        ImageIO.write(picture, "png", out);
        return out.toByteArray();
    }

    private static int[] pixels(BufferedImage picture) {
        assertEquals(3, picture.getWidth());
        return picture.getRGB(0, 0, 3, 2, null, 0, 3);
    }
}
