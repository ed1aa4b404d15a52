package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.cli.TerminalImages.Kind;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.SampleRequest;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

import javax.imageio.ImageIO;

/** Estimates on terminals of all kinds. */
class PreviewTest {
    private static Picture of(int width, int height, int... rgb) {
        var bytes = new byte[3 * width * height];
        for (int i = 0; i < width * height; i++) {
            int pixel = rgb[i % rgb.length];
            bytes[3 * i] = (byte) (pixel >> 16);
            bytes[3 * i + 1] = (byte) (pixel >> 8);
            bytes[3 * i + 2] = (byte) pixel;
        }
        return new Picture(width, height, bytes);
    }

    private static Map<String, String> environment(String variables) {
        Map<String, String> environment = new HashMap<>();
        for (String each : variables.split(" ")) {
            environment.put(each.split("=")[0], each.split("=", 2)[1]);
        }
        return environment;
    }

    @ParameterizedTest
    @CsvSource({
        "TERM=xterm-kitty, KITTY",
        "TERM=xterm-256color KITTY_WINDOW_ID=1, KITTY",
        "TERM=xterm-ghostty TERM_PROGRAM=ghostty, KITTY",
        "TERM=xterm-256color TERM_PROGRAM=iTerm.app COLORTERM=truecolor, ITERM2",
        "TERM=xterm-256color TERM_PROGRAM=WezTerm COLORTERM=truecolor, ITERM2",
        "TERM=xterm-256color LC_TERMINAL=iTerm2, ITERM2",
        "TERM=tmux-256color TMUX=a KITTY_WINDOW_ID=1 COLORTERM=truecolor, TRUE_COLOUR",
        "TERM=screen-256color LC_TERMINAL=iTerm2, COLOURS_256",
        "TERM=xterm-256color COLORTERM=24bit, TRUE_COLOUR",
        "TERM=xterm-direct, TRUE_COLOUR",
        "TERM=xterm-256color TERM_PROGRAM=Apple_Terminal, COLOURS_256",
        "TERM=xterm, NONE",
        "TERM=linux, NONE",
        "TERM=dumb COLORTERM=truecolor, NONE",
        "COLORTERM=no, NONE",
        "TERM=xterm-kitty NO_COLOR=1, NONE",
        "TERM=xterm-kitty NO_COLOR=, KITTY"
    })
    void theEnvironmentTellsWhatIsShown(String variables, Kind kind) {
        var images = TerminalImages.of(environment(variables), true, true);
        assertEquals(kind, images.kind());
        var piped = TerminalImages.of(environment(variables), false, true);
        assertEquals(Kind.NONE, piped.kind());
        assertEquals("", piped.drawn(Raster.of(of(2, 2, 0)), 2, 1));
    }

    private static String drawn(
            Kind kind, boolean unicode, Picture picture, int columns, int rows) {
        String drawn = new TerminalImages(kind, unicode).drawn(Raster.of(picture), columns, rows);
        return drawn.replace("\u001b", "^");
    }

    @Test
    void halfBlocksHaveTwoPixelsInACell() {
        Picture picture = of(2, 2, 0xff0000, 0x00ff00, 0x0000ff, 0x10202f);
        assertEquals(
                "^[38;2;255;0;0;48;2;0;0;255m▀^[38;2;0;255;0;48;2;16;32;47m▀^[0m\n",
                drawn(Kind.TRUE_COLOUR, true, picture, 2, 1));
        assertEquals(
                "^[38;5;196;48;5;21m▀^[38;5;46;48;5;16m▀^[0m\n",
                drawn(Kind.COLOURS_256, true, picture, 2, 1));
        assertEquals( // ASCII alone; each cell is a mean
                "^[48;2;128;0;128m ^[48;2;8;144;24m ^[0m\n",
                drawn(Kind.TRUE_COLOUR, false, picture, 2, 1));
    }

    @Test
    void otherSizesAreMeansOrRepeated() {
        Picture picture = of(4, 2, 0, 0x020202, 0x646464, 0x666666);
        assertEquals(
                "^[38;2;1;1;1;48;2;1;1;1m▀^[38;2;101;101;101;48;2;101;101;101m▀^[0m\n",
                drawn(Kind.TRUE_COLOUR, true, picture, 2, 1));
        String large = drawn(Kind.TRUE_COLOUR, true, of(1, 1, 0x010203), 3, 2);
        assertEquals(6, large.split("38;2;1;2;3;48;2;1;2;3m▀", -1).length - 1);
    }

    /** The PNG between the escapes is the picture. */
    @Test
    void kittyAndIterm2GetAFile() throws IOException {
        var noise = new byte[3 * 64 * 64];
        new Random(1).nextBytes(noise); // which PNG does not shrink, so that it has several chunks
        var picture = new Picture(64, 64, noise);
        String kitty = drawn(Kind.KITTY, true, picture, 40, 20);
        assertTrue(
                kitty.startsWith("\n".repeat(20) + "\r^[20A^7^_Gf=100,a=T,p=1,q=2,C=1,i="), kitty);
        assertTrue(kitty.contains(",c=40,r=20,m=1;"));
        assertTrue(kitty.endsWith("^\\^8\r^[20B"));
        var data = new StringBuilder();
        for (String chunk : kitty.substring(kitty.indexOf("^_G")).split("\\^\\\\")) {
            if (chunk.startsWith("^_G")) {
                String base64 = chunk.substring(chunk.indexOf(';') + 1);
                assertTrue(base64.length() <= 4096);
                data.append(base64);
            }
        }
        assertShows(picture, data.toString());
        String iterm2 = drawn(Kind.ITERM2, true, picture, 40, 20);
        int from = iterm2.indexOf(":") + 1;
        assertTrue(
                iterm2.contains("^]1337;File=inline=1;preserveAspectRatio=1;width=40;height=20:"));
        assertShows(picture, iterm2.substring(from, iterm2.indexOf('\u0007')));
    }

    private static void assertShows(Picture picture, String base64) throws IOException {
        var image = ImageIO.read(new ByteArrayInputStream(Base64.getDecoder().decode(base64)));
        for (int i = 0; i < 64 * 64; i++) {
            byte[] rgb = picture.rgb();
            int expected =
                    (rgb[3 * i] & 0xff) << 16
                            | (rgb[3 * i + 1] & 0xff) << 8
                            | rgb[3 * i + 2] & 0xff;
            assertEquals(expected, image.getRGB(i % 64, i / 64) & 0xffffff);
        }
    }

    private static Preview preview(StringWriter out, AtomicLong clock, int width, int height) {
        return new Preview(
                new TerminalImages(Kind.TRUE_COLOUR, true),
                new PrintWriter(out),
                width,
                height,
                clock::get);
    }

    private static long[] size(String shown) {
        return new long[] {
            shown.lines().count(), shown.lines().findFirst().orElseThrow().split("▀", -1).length - 1
        };
    }

    @Test
    void picturesFitTheTerminal() {
        assertArrayEquals(new long[] {20, 40}, size(shown(80, 50, of(64, 64, 0))));
        assertArrayEquals(new long[] {20, 80}, size(shown(100, 50, of(128, 64, 0))));
        assertArrayEquals(new long[] {6, 12}, size(shown(80, 10, of(64, 64, 0))));
        assertArrayEquals(new long[] {15, 29}, size(shown(30, 50, of(64, 64, 0))));
        assertArrayEquals(new long[] {1, 79}, size(shown(80, 50, of(640, 8, 0))));
        Picture one = of(64, 64, 0);
        assertArrayEquals(new long[] {20, 80}, size(shown(100, 50, one, one, one)), "two of three");
    }

    private static String shown(int width, int height, Picture... pictures) {
        var out = new StringWriter();
        preview(out, new AtomicLong(), width, height).show(() -> Arrays.asList(pictures));
        return out.toString();
    }

    @Test
    void theNextTakesThePlaceOfTheOneBefore() {
        var out = new StringWriter();
        Preview preview = preview(out, new AtomicLong(), 80, 10);
        preview.show(() -> List.of(of(8, 8, 0)));
        int first = out.toString().length();
        preview.show(() -> List.of(of(8, 8, 1)));
        assertTrue(out.toString().substring(first).startsWith("\r\u001b[6A\u001b[38;"));
    }

    @Test
    void slowOnesAreRare() {
        var clock = new AtomicLong(100);
        Preview preview = preview(new StringWriter(), clock, 80, 10);
        assertTrue(preview.isDue(false));
        preview.show(
                () -> {
                    clock.addAndGet(10);
                    return List.of(of(8, 8, 0));
                });
        assertFalse(preview.isDue(false));
        assertTrue(preview.isDue(true));
        clock.addAndGet(39);
        assertFalse(preview.isDue(false));
        clock.addAndGet(1);
        assertTrue(preview.isDue(false));
    }

    @Test
    void aPreviewThatFailsEndsNoRun() {
        var err = new StringWriter();
        var pipeline = new FakePipeline();
        pipeline.previewFailure = new PipelineException("no memory", new RuntimeException());
        var watcher =
                new Watcher(
                        pipeline,
                        new AtomicBoolean(),
                        null,
                        preview(err, new AtomicLong(), 80, 10),
                        false,
                        false);
        try (watcher) {
            pipeline.sample(SampleRequest.of("a"), watcher, null);
        }
        assertEquals("warning: no preview: no memory" + System.lineSeparator(), err.toString());
    }

    @Test
    void estimatesAreShownWhileSampling() {
        var shown = new StringWriter();
        var pipeline = new FakePipeline();
        try (var watcher =
                new Watcher(
                        pipeline,
                        new AtomicBoolean(),
                        null,
                        preview(shown, new AtomicLong(), 80, 5),
                        true,
                        false)) {
            pipeline.sample(SampleRequest.of("a"), watcher, null);
            assertEquals(3 * 4, watcher.strip().width());
        }
        for (int step = 1; step <= 3; step++) {
            String grey = String.format(Locale.ROOT, "48;2;%d;%d;%d", step, step, step);
            assertTrue(shown.toString().contains(grey));
        }
    }
}
