package dev.darkroom.training.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.darkroom.models.pipeline.Picture;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.awt.color.ColorSpace;
import java.awt.color.ICC_Profile;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;
import java.util.zip.CRC32;

import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.spi.IIORegistry;
import javax.imageio.spi.ImageReaderSpi;

class PictureFileTest {
    /** Made by tests/oracle/pictures.py. */
    private static final Path PICTURES = resource("pictures");

    private static final String EXPECTED = ".expected.png";

    @TempDir private Path folder;

    private static Path resource(String name) {
        try {
            URI uri = Objects.requireNonNull(PictureFileTest.class.getResource(name)).toURI();
            return Path.of(uri);
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    static List<String> pictures() throws IOException {
        try (Stream<Path> files = Files.list(PICTURES)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> !name.endsWith(EXPECTED))
                    .sorted()
                    .toList();
        }
    }

    private static Picture expected(String name) throws IOException {
        BufferedImage image = ImageIO.read(PICTURES.resolve(name + EXPECTED).toFile());
        var rgb = new byte[3 * image.getWidth() * image.getHeight()];
        for (int y = 0, at = 0; y < image.getHeight(); y++) {
            for (int x = 0; x < image.getWidth(); x++) {
                int pixel = image.getRGB(x, y);
                rgb[at++] = (byte) (pixel >> 16);
                rgb[at++] = (byte) (pixel >> 8);
                rgb[at++] = (byte) pixel;
            }
        }
        return new Picture(image.getWidth(), image.getHeight(), rgb);
    }

    private static void assertPicture(Picture expected, Picture actual, int tolerance) {
        assertEquals(expected.width(), actual.width());
        assertEquals(expected.height(), actual.height());
        int most = 0;
        for (int i = 0; i < expected.rgb().length; i++) {
            most = Math.max(most, Math.abs((expected.rgb()[i] & 0xff) - (actual.rgb()[i] & 0xff)));
        }
        assertTrue(most <= tolerance, "off by " + most);
    }

    private Path file(String name, byte[] bytes) throws IOException {
        return Files.write(folder.resolve(name), bytes);
    }

    private static void assertRefused(Path file, String problem) {
        var refusal = assertThrows(DataException.class, () -> PictureFile.read(file));
        String message = refusal.getMessage();
        assertTrue(message.startsWith(file.toString()) && message.contains(problem), message);
    }

    // ---- As Pillow reads them ----

    /** Where Pillow cuts 16 bits off, Darkroom rounds. All else is equal with the JDK's libjpeg. */
    @ParameterizedTest
    @MethodSource("pictures")
    void aPictureIsReadAsPillowReadsIt(String name) throws IOException {
        int tolerance = name.startsWith("sixteen_bit") ? 1 : 0;
        assertPicture(expected(name), PictureFile.read(PICTURES.resolve(name)), tolerance);
    }

    @Test
    void theCasesOfTheFaultsAreRight() throws IOException {
        String faults = System.getProperty("darkroom.faults");
        assumeTrue(faults != null, "-Ddarkroom.faults is not given");
        Path pictures = Path.of(faults).resolve("pictures");
        Picture upright = PictureFile.read(pictures.resolve("upright.jpg"));
        assertPicture(
                Orientation.TURN_RIGHT.upright(upright),
                PictureFile.read(pictures.resolve("exif6.jpg")),
                0);
        assertRefused(pictures.resolve("trunc_half.jpg"), "cut off");
    }

    @Test
    void anExtensionMayLie() throws IOException {
        Path lie = file("a.png", Files.readAllBytes(PICTURES.resolve("baseline.jpg")));
        assertPicture(expected("baseline.jpg"), PictureFile.read(lie), 0);
    }

    // ---- Orientation ----

    /** Six pixels, three in a row: {@code abc} over {@code def}. */
    private static byte[] letters() throws IOException {
        var image = new BufferedImage(3, 2, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < 6; i++) {
            image.setRGB(i % 3, i / 3, 0x010101 * ('a' + i));
        }
        var out = new ByteArrayOutputStream();
        ImageIO.write(image, "png", out);
        return out.toByteArray();
    }

    private static String letters(Picture picture) {
        var text = new StringBuilder();
        for (int i = 0; i < picture.rgb().length; i += 3) {
            text.append(i > 0 && i % (3 * picture.width()) == 0 ? " " : "");
            text.append((char) picture.rgb()[i]);
        }
        return text.toString();
    }

    /** A TIFF with the tag 274 and nothing else. */
    private static byte[] exif(int orientation) {
        return ByteBuffer.allocate(26)
                .put("MM\0*".getBytes(StandardCharsets.ISO_8859_1))
                .putInt(8)
                .putShort((short) 1)
                .putShort((short) 274)
                .putShort((short) 3)
                .putInt(1)
                .putShort((short) orientation)
                .putShort((short) 0)
                .putInt(0)
                .array();
    }

    /** A PNG with another chunk, before the last or after the first one. */
    private static byte[] withChunk(byte[] png, String type, byte[] data, boolean last) {
        byte[] named = (type + " ".repeat(data.length)).getBytes(StandardCharsets.ISO_8859_1);
        System.arraycopy(data, 0, named, 4, data.length);
        var crc = new CRC32();
        crc.update(named);
        int at = last ? png.length - 12 : 33;
        return ByteBuffer.allocate(png.length + 12 + data.length)
                .put(png, 0, at)
                .putInt(data.length)
                .put(named)
                .putInt((int) crc.getValue())
                .put(png, at, png.length - at)
                .array();
    }

    /** A JPEG with another segment, after its start. */
    private static byte[] withSegment(byte[] jpeg, int marker, String name, byte[] data) {
        byte[] named = name.getBytes(StandardCharsets.ISO_8859_1);
        return ByteBuffer.allocate(jpeg.length + 4 + named.length + data.length)
                .put(jpeg, 0, 2)
                .put((byte) 0xff)
                .put((byte) marker)
                .putShort((short) (2 + named.length + data.length))
                .put(named)
                .put(data)
                .put(jpeg, 2, jpeg.length - 2)
                .array();
    }

    @ParameterizedTest
    @CsvSource({
        "0, abc def",
        "1, abc def",
        "2, cba fed",
        "3, fed cba",
        "4, def abc",
        "5, ad be cf",
        "6, da eb fc",
        "7, fc eb da",
        "8, cf be ad",
        "9, abc def",
    })
    void aPictureIsTurnedUpright(int orientation, String expected) throws IOException {
        byte[] exif = exif(orientation);
        Path early = file("a.png", withChunk(letters(), "eXIf", exif, false));
        assertEquals(expected, letters(PictureFile.read(early)));
        Path late = file("b.png", withChunk(letters(), "eXIf", exif, true));
        assertEquals(expected, letters(PictureFile.read(late)));

        byte[] jpeg = Files.readAllBytes(PICTURES.resolve("baseline.jpg"));
        Picture turned = PictureFile.read(file("a.jpg", withSegment(jpeg, 0xe1, "Exif\0\0", exif)));
        Orientation meant =
                orientation >= 1 && orientation <= 8
                        ? Orientation.values()[orientation - 1]
                        : Orientation.NONE;
        assertPicture(meant.upright(expected("baseline.jpg")), turned, 0);
    }

    @Test
    void brokenExifTurnsNothing() throws IOException {
        byte[] jpeg = Files.readAllBytes(PICTURES.resolve("baseline.jpg"));
        Path broken = file("a.jpg", withSegment(jpeg, 0xe1, "Exif\0\0", new byte[] {'M', 'M', 0}));
        assertPicture(expected("baseline.jpg"), PictureFile.read(broken), 0);
    }

    // ---- What is not whole ----

    @ParameterizedTest
    @ValueSource(
            strings = {
                "baseline.jpg",
                "progressive.jpg",
                "grey.jpg",
                "cmyk.jpg",
                "interlaced.png",
                "one_bit.png",
                "lossy.webp",
                "lossy_alpha.webp",
                "lossless_alpha.webp"
            })
    void whatIsCutOffAnywhereIsRefused(String name) throws IOException {
        byte[] whole = Files.readAllBytes(PICTURES.resolve(name));
        for (int length = 0; length < whole.length; length += length < 40 ? 1 : 7) {
            Path cut = file(name, Arrays.copyOf(whole, length));
            assertThrows(DataException.class, () -> PictureFile.read(cut), "" + length);
        }
        for (int length : new int[] {whole.length / 2, whole.length - 2, whole.length - 1}) {
            assertRefused(file(name, Arrays.copyOf(whole, length)), "it is cut off");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"transparent.gif", "colour.bmp", "palette.bmp"})
    void whatMissesPixelsIsRefused(String name) throws IOException {
        byte[] whole = Files.readAllBytes(PICTURES.resolve(name));
        for (int length : new int[] {whole.length / 2, whole.length * 9 / 10}) {
            assertRefused(file(name, Arrays.copyOf(whole, length)), "the picture can't be read");
        }
    }

    /** As a download leaves it that had made room for all. */
    @ParameterizedTest
    @ValueSource(strings = {"baseline.jpg", "progressive.jpg", "one_bit.png", "lossy_alpha.webp"})
    void zerosInPlaceOfTheRestAreRefused(String name) throws IOException {
        byte[] whole = Files.readAllBytes(PICTURES.resolve(name));
        byte[] zeros = Arrays.copyOf(Arrays.copyOf(whole, whole.length / 2), whole.length);
        assertRefused(file(name, zeros), "the picture can't be read");
    }

    @Test
    void aDamagedPngIsRefused() throws IOException {
        byte[] png = letters();
        png[png.length - 20] ^= 1;
        assertRefused(file("a.png", png), "a checksum is wrong");
    }

    /** libjpeg paints over a scan's damage and warns. */
    @Test
    void aDamagedJpegIsRefused() throws IOException {
        byte[] jpeg = Files.readAllBytes(PICTURES.resolve("baseline.jpg"));
        byte[] without = Arrays.copyOf(jpeg, jpeg.length - 60);
        without[without.length - 2] = (byte) 0xff;
        without[without.length - 1] = (byte) 0xd9;
        assertRefused(file("a.jpg", without), "it is damaged: Corrupt JPEG data: premature end");
    }

    @Test
    void whatFollowsAJpegIsIgnored() throws IOException {
        byte[] jpeg = Files.readAllBytes(PICTURES.resolve("baseline.jpg"));
        Path longer = file("a.jpg", Arrays.copyOf(jpeg, jpeg.length + 100));
        assertPicture(expected("baseline.jpg"), PictureFile.read(longer), 0);
    }

    @Test
    void whatIsNoPictureIsRefused() throws IOException {
        assertRefused(file("a.png", new byte[0]), "the file is empty");
        assertRefused(file("a.jpg", "<html>".getBytes(StandardCharsets.UTF_8)), "it is no PNG, JP");
        assertRefused(folder.resolve("none.png"), "the picture is missing");
    }

    // ---- Colours ----

    private static byte[] profile() {
        return ICC_Profile.getInstance(ColorSpace.CS_LINEAR_RGB).getData();
    }

    @Test
    void profilesAreIgnoredAndBrokenOnesDoNotMatter() throws IOException {
        byte[] jpeg = Files.readAllBytes(PICTURES.resolve("baseline.jpg"));
        for (byte[] profile : new byte[][] {profile(), new byte[] {1, 2, 3}}) {
            byte[] with = withSegment(jpeg, 0xe2, "ICC_PROFILE\0\1\1", profile);
            assertPicture(expected("baseline.jpg"), PictureFile.read(file("a.jpg", with)), 0);
        }
    }

    @Test
    void cmykIsRefusedWhereItsColoursAreNotCertain() throws IOException {
        byte[] cmyk = Files.readAllBytes(PICTURES.resolve("cmyk.jpg"));
        byte[] with = withSegment(cmyk, 0xe2, "ICC_PROFILE\0\1\1", new byte[10]);
        assertRefused(file("a.jpg", with), "CMYK with a colour profile; convert it to RGB");
        String text = new String(cmyk, StandardCharsets.ISO_8859_1).replace("Adobe", "adobe");
        assertRefused(file("a.jpg", text.getBytes(StandardCharsets.ISO_8859_1)), "no Adobe marker");
    }

    // ---- Others ----

    /** A frame that is smaller than the screen, and lies somewhere on it. */
    @Test
    void aGifHasTheSizeOfItsScreen() throws IOException {
        byte[] gif = Files.readAllBytes(PICTURES.resolve("transparent.gif"));
        var bytes = ByteBuffer.wrap(gif).order(ByteOrder.LITTLE_ENDIAN);
        int colours = 2 << (gif[10] & 7);
        int frame = 13 + 3 * colours;
        while (gif[frame] != ',') {
            frame += 8; // an extension of four bytes
        }
        bytes.putShort(6, (short) 40).putShort(8, (short) 30);
        bytes.putShort(frame + 1, (short) 10).putShort(frame + 3, (short) 4);
        Picture read = PictureFile.read(file("a.gif", gif));
        Picture stored = expected("transparent.gif");
        assertEquals(40, read.width());
        assertEquals(30, read.height());
        for (int y = 0; y < 30; y++) {
            for (int x = 0; x < 40; x++) {
                boolean inside = x >= 10 && x < 10 + 25 && y >= 4 && y < 4 + 18;
                int at = 3 * (25 * (y - 4) + x - 10);
                assertEquals(inside ? stored.rgb()[at] : (byte) 255, read.rgb()[3 * (40 * y + x)]);
            }
        }
    }

    @Test
    void anAnimatedWebpIsRefused() throws IOException {
        byte[] webp = Files.readAllBytes(PICTURES.resolve("turned.webp"));
        assertEquals("VP8X", new String(webp, 12, 4, StandardCharsets.US_ASCII));
        webp[20] |= 2;
        assertRefused(file("a.webp", webp), "it is animated");
    }

    @Test
    void hugeSizesAreRefusedBeforeMemoryIsTaken() throws IOException {
        byte[] png = letters();
        ByteBuffer.wrap(png).putInt(16, 100_000).putInt(20, 90_000);
        var crc = new CRC32();
        crc.update(png, 12, 17);
        ByteBuffer.wrap(png).putInt(29, (int) crc.getValue());
        assertRefused(file("a.png", png), "it has 100000×90000 pixels, more than 178956970");

        byte[] jpeg = Files.readAllBytes(PICTURES.resolve("baseline.jpg"));
        int frame = new String(jpeg, StandardCharsets.ISO_8859_1).indexOf("\u00ff\u00c0");
        ByteBuffer.wrap(jpeg).putShort(frame + 5, (short) 50_000).putShort(frame + 7, (short) 5000);
        assertRefused(file("a.jpg", jpeg), "it has 5000×50000 pixels");

        byte[] webp = Files.readAllBytes(PICTURES.resolve("turned.webp"));
        Arrays.fill(webp, 24, 30, (byte) 0xff);
        assertRefused(file("a.webp", webp), "it has 16777216×16777216 pixels");
    }

    /** What a service has given to ImageIO, for its own use, changes nothing. */
    @Test
    void otherReadersOfAnApplicationAreNotAsked() throws IOException {
        var greedy = new GreedySpi();
        IIORegistry registry = IIORegistry.getDefaultInstance();
        registry.registerServiceProvider(greedy, ImageReaderSpi.class);
        registry.getServiceProviders(ImageReaderSpi.class, each -> each != greedy, true)
                .forEachRemaining(each -> registry.setOrdering(ImageReaderSpi.class, greedy, each));
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        boolean useCache = ImageIO.getUseCache();
        try {
            assertThrows(
                    UnsupportedOperationException.class,
                    () -> ImageIO.read(PICTURES.resolve("baseline.jpg").toFile()));
            ImageIO.setUseCache(!useCache);
            Thread.currentThread().setContextClassLoader(null);
            for (String name : List.of("interlaced.png", "baseline.jpg", "lossy.webp")) {
                Picture read = PictureFile.read(PICTURES.resolve(name));
                assertEquals(25, read.width());
            }
            assertEquals(!useCache, ImageIO.getUseCache());
        } finally {
            Thread.currentThread().setContextClassLoader(loader);
            ImageIO.setUseCache(useCache);
            registry.deregisterServiceProvider(greedy, ImageReaderSpi.class);
        }
    }

    /** Says that it reads everything. */
    private static final class GreedySpi extends ImageReaderSpi {
        GreedySpi() {
            names = new String[] {"png", "PNG", "jpeg", "JPEG", "webp", "WEBP"};
        }

        @Override
        public boolean canDecodeInput(Object source) {
            return true;
        }

        @Override
        public ImageReader createReaderInstance(Object extension) {
            throw new UnsupportedOperationException("asked");
        }

        @Override
        public String getDescription(Locale locale) {
            return "greedy";
        }
    }

    // ---- Samples ----

    @ParameterizedTest
    @CsvSource({
        "255, 100, 100", // opaque
        "0, 100, 255", // nothing but white
        "51, 100, 224", // a fifth of it
    })
    void transparencyIsOnWhite(int alpha, int value, int expected) throws IOException {
        var image = new BufferedImage(2, 1, BufferedImage.TYPE_INT_ARGB);
        image.setRGB(1, 0, alpha << 24 | value << 16 | value << 8 | value);
        TestPictures.write(folder.resolve("a.png"), image);
        Picture read = PictureFile.read(folder.resolve("a.png"));
        assertArrayEquals(
                new byte[] {-1, -1, -1, (byte) expected, (byte) expected, (byte) expected},
                read.rgb());
    }

    @ParameterizedTest
    @CsvSource({"TYPE_BYTE_GRAY, 1", "TYPE_USHORT_GRAY, 257"})
    void greysKeepTheirValues(String type, int times) throws Exception {
        var image = new BufferedImage(256, 1, BufferedImage.class.getField(type).getInt(null));
        for (int x = 0; x < 256; x++) {
            image.getRaster().setSample(x, 0, 0, times * x);
        }
        TestPictures.write(folder.resolve("a.png"), image);
        Picture read = PictureFile.read(folder.resolve("a.png"));
        for (int x = 0; x < 256; x++) {
            assertEquals((byte) x, read.rgb()[3 * x + 2]);
        }
    }
}
