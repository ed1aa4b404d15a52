package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.training.run.StepReport;
import dev.darkroom.training.run.Trainer;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

class TrainProgressTest {
    @TempDir private Path folder;

    private final StringWriter text = new StringWriter();
    private final PrintWriter err = new PrintWriter(text, true);
    private long now = 5;

    private TrainProgress progress(TrainProgress.Display display) {
        return new TrainProgress(err, display, folder, () -> now);
    }

    private String said() {
        return text.toString().replace(System.lineSeparator(), "\n");
    }

    private static StepReport step(long step, Double loss, long skipped) {
        return new StepReport(step, 5000, loss, 1, 0.5, 210.44, 3725, skipped);
    }

    @Test
    void linesComeEveryNowAndThen() {
        try (var progress = progress(TrainProgress.Display.LINES)) {
            progress.stepped(step(1, 2.0, 0));
            now += TrainProgress.EVERY.toNanos() - 1;
            progress.stepped(step(2, 2.0, 0));
            now++;
            progress.stepped(step(3, 2.0, 0));
            progress.stepped(step(5000, null, 1200));
        }
        assertEquals(
                """
                step 1 of 5,000, loss 2, 210 samples/s, 1 h 2 min left
                step 3 of 5,000, loss 2, 210 samples/s, 1 h 2 min left
                step 5,000 of 5,000, loss 2, 210 samples/s, 1 h 2 min left, 1,200 skipped
                """,
                said());
    }

    @Test
    void theLossIsSmoothedFromTheFirstOne() {
        try (var progress = progress(TrainProgress.Display.LINES)) {
            progress.stepped(step(1, null, 1));
            now += TrainProgress.EVERY.toNanos();
            progress.stepped(step(2, 3.0, 1));
            for (int i = 3; i < 400; i++) {
                progress.stepped(step(i, 1.0, 1));
            }
            now += TrainProgress.EVERY.toNanos();
            progress.stepped(step(400, 1.2, 1));
        }
        assertEquals(
                """
                step 1 of 5,000, no loss yet, 210 samples/s, 1 h 2 min left, 1 skipped
                step 2 of 5,000, loss 3, 210 samples/s, 1 h 2 min left, 1 skipped
                step 400 of 5,000, loss 1.01, 210 samples/s, 1 h 2 min left, 1 skipped
                """,
                said());
    }

    @Test
    void eventsAreTold() throws IOException {
        Path log = Trainer.log(folder);
        Files.createDirectories(log.getParent());
        Files.writeString(log, "{\"step\":2000,\"loss\":1,\"learningRate\":1}\n");
        try (var progress = progress(TrainProgress.Display.LINES)) {
            progress.resumed(1234);
            progress.warned("the disk is slow");
            progress.saved(2000);
            assertFalse(progress.isStopping());
            progress.stop();
            assertTrue(progress.isStopping());
            progress.saved(2001);
            progress.finished(5000);
        }
        assertEquals(
                """
                resumed from step 1,234
                warning: the disk is slow.
                saved at step 2,001; the same command goes on from there
                finished before: all 5,000 steps are taken
                """,
                said());
        assertTrue(Files.exists(log.resolveSibling("loss.png")));
    }

    @Test
    void aChartThatCantBeDrawnLosesNoRun() {
        try (var progress = progress(TrainProgress.Display.LINES)) {
            progress.saved(1);
        }
        assertTrue(said().startsWith("warning: the loss is not drawn: "), said());
    }

    @Test
    void picturesThatAreEncodedAreCounted() {
        try (var progress = progress(TrainProgress.Display.LINES)) {
            progress.prepared(16, 1024);
            progress.prepared(32, 1024);
            progress.prepared(1024, 1024);
        }
        assertEquals("encoded 16 of 1,024\nencoded 1,024 of 1,024\n", said());
    }

    @Test
    void quietMeansWarningsOnly() {
        try (var progress = progress(TrainProgress.Display.of(true))) {
            progress.resumed(3);
            progress.stepped(step(4, 1.0, 0));
            progress.warned("the disk is slow");
            progress.stop();
            progress.saved(4);
        }
        assertEquals("warning: the disk is slow.\n", said());
    }

    @Test
    void aBarShowsTheSameAndMakesWayForLines() throws InterruptedException {
        try (var progress = progress(TrainProgress.Display.BAR)) {
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while (!said().contains("loss 2, 210/s, 1 h 2 min left")) {
                assertTrue(System.nanoTime() < deadline, said());
                progress.stepped(step(100, 2.0, 0));
                Thread.sleep(20);
            }
            assertTrue(said().contains("100/5000"), said());
            progress.warned("the disk is slow");
            progress.stepped(step(5000, 2.0, 0));
        }
        assertTrue(said().contains("\rwarning: the disk is slow.\n"), said());
        String last = said().substring(said().lastIndexOf('\n') + 1);
        assertTrue(last.endsWith(" \r"), last);
    }

    /** What a training process does, without anything to train. */
    static final class Training {
        private Training() {}

        public static void main(String[] args) throws InterruptedException {
            try (var progress =
                    new TrainProgress(
                            new PrintWriter(System.out, true),
                            TrainProgress.Display.LINES,
                            Path.of("unused"))) {
                progress.resumed(7);
                while (!progress.isStopping()) {
                    Thread.sleep(10);
                }
                progress.saved(8);
            }
        }
    }

    @Test
    void ctrlCWaitsForTheCheckpoint() throws Exception {
        Process process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-cp",
                                System.getProperty(
                                        "surefire.test.class.path",
                                        System.getProperty("java.class.path")),
                                Training.class.getName())
                        .redirectErrorStream(true)
                        .start();
        try (var out = process.inputReader()) {
            assertEquals("resumed from step 7", out.readLine());
            process.toHandle().destroy(); // SIGTERM, which takes the same way as Ctrl-C's SIGINT
            assertEquals("saved at step 8; the same command goes on from there", out.readLine());
            assertNull(out.readLine());
            assertTrue(process.waitFor(60, TimeUnit.SECONDS));
            assertEquals(128 + 15, process.exitValue());
        } finally {
            process.destroyForcibly();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0.4, 0 s",
        "59.4, 59 s",
        "59.6, 1 min 0 s",
        "3599, 59 min 59 s",
        "3600, 1 h 0 min",
        "86399, 23 h 59 min",
        "86400, 1 d 0 h",
        "900000, 10 d 10 h",
    })
    void timesHaveTwoUnits(double seconds, String expected) {
        assertEquals(expected, TrainProgress.time(seconds));
    }
}
