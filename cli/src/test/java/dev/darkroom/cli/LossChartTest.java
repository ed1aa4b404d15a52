package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Locale;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import javax.imageio.ImageIO;

class LossChartTest {
    private static final int BLUE = 0x1f5fa8;
    private static final int RED = 0xc0392b;
    private static final int GREEN = 0x2e7d5b;

    @TempDir private Path folder;

    /**
     * @param loss of a step; NaN for one that was skipped
     */
    private Path log(int steps, IntToDoubleFunction loss) throws IOException {
        return Files.writeString(
                folder.resolve("log.jsonl"),
                IntStream.rangeClosed(1, steps)
                        .mapToObj(step -> line(step, steps, loss.applyAsDouble(step)))
                        .collect(Collectors.joining()));
    }

    private static String line(int step, int steps, double loss) {
        return String.format(
                Locale.ROOT,
                "{\"step\":%d,\"loss\":%s,\"learningRate\":%s,\"gradientNorm\":0.5,"
                        + "\"samplesPerSecond\":100.0,\"time\":\"2030-01-01T00:00:00Z\"}\n",
                step,
                Double.isNaN(loss) ? "null" : Double.toString(loss),
                Math.min(1, step / 1000.0) * 0.5 * (1 + Math.cos(Math.PI * step / steps)));
    }

    private BufferedImage draw(Path log) throws IOException {
        Path png = folder.resolve("loss.png");
        LossChart.write(log, png);
        BufferedImage picture = ImageIO.read(png.toFile());
        assertEquals(1200, picture.getWidth());
        assertEquals(760, picture.getHeight());
        return picture;
    }

    private static long count(BufferedImage picture, int colour) {
        return IntStream.range(0, picture.getWidth() * picture.getHeight())
                .filter(
                        i ->
                                (picture.getRGB(i % picture.getWidth(), i / picture.getWidth())
                                                & 0xffffff)
                                        == colour)
                .count();
    }

    @Test
    void aLongRunIsThinnedOut() throws IOException {
        var random = new Random(1);
        Path log =
                log(
                        100_000,
                        step ->
                                (0.9 * Math.exp(-step / 4000.0) + 0.03)
                                        * Math.exp(0.3 * random.nextGaussian()));
        long begin = System.nanoTime();
        BufferedImage picture = draw(log);
        assertTrue(System.nanoTime() - begin < 20_000_000_000L);
        assertTrue(count(picture, BLUE) > 500);
        assertTrue(count(picture, GREEN) > 500);
        assertEquals(0, count(picture, RED));
    }

    @Test
    void aSingleStepIsAPoint() throws IOException {
        assertTrue(count(draw(log(1, step -> 0.7)), BLUE) > 10);
    }

    @Test
    void whatIsHalfWrittenIsLeftOut() throws IOException {
        Path log = log(50, step -> 1.0 / step);
        BufferedImage whole = draw(log);
        Files.writeString(log, Files.readString(log) + "{\"step\":51,\"loss\":0.0");
        BufferedImage half = draw(log);
        for (int y = 0; y < whole.getHeight(); y++) {
            for (int x = 0; x < whole.getWidth(); x++) {
                assertEquals(whole.getRGB(x, y), half.getRGB(x, y));
            }
        }
    }

    @Test
    void skippedStepsAreMarked() throws IOException {
        BufferedImage picture =
                draw(log(300, step -> step % 100 == 50 ? Double.NaN : 1 + 0.1 * Math.sin(step)));
        assertTrue(count(picture, RED) > 30);
        assertTrue(count(picture, BLUE) > 200);
        assertTrue(count(draw(log(5, step -> Double.NaN)), RED) > 30);
    }

    @Test
    void negativeAndConstantAndExtremeLossesAreDrawn() throws IOException {
        assertTrue(count(draw(log(500, step -> -step)), BLUE) > 200);
        assertTrue(count(draw(log(500, step -> 0)), BLUE) > 200);
        assertTrue(count(draw(log(500, step -> 3)), BLUE) > 200);
        assertTrue(count(draw(log(500, step -> step == 250 ? 1e30 : 1e-9)), BLUE) > 100);
    }

    /** A mean of what there was, from the first step on, and unmoved by skipped ones. */
    @Test
    void theAverageHasNoBias() throws IOException {
        LossLog constant = LossLog.read(log(20, step -> step == 1 || step == 7 ? Double.NaN : 2));
        double[] smoothed = constant.smoothed(5);
        assertTrue(Double.isNaN(smoothed[0]));
        for (int i = 1; i < 20; i++) {
            assertEquals(2, smoothed[i], 1e-12);
        }
        assertEquals(2, constant.skipped());
        double[] two = LossLog.read(log(2, step -> step)).smoothed(1);
        double share = 1 - Math.exp(-1);
        assertArrayEquals(new double[] {1, (2 + 1 - share) / (2 - share)}, two, 1e-12);
    }

    @Test
    void aLogWithoutStepsIsRefused() throws IOException {
        Path log = Files.writeString(folder.resolve("log.jsonl"), "{\"st");
        var refusal = assertThrows(IOException.class, () -> draw(log));
        assertTrue(refusal.getMessage().endsWith("log.jsonl: no step is in this log yet"));
        Files.delete(log);
        assertThrows(IOException.class, () -> draw(log));
        try (var files = Files.list(folder)) {
            assertEquals(new HashSet<>(), files.collect(Collectors.toSet()));
        }
    }
}
