package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.training.run.StepReport;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.Consumer;

import javax.imageio.ImageIO;

class TrainCommandTest {
    private static final String VAE =
            """
            {"steps": 3, "batch": 2, "size": 8, "showEvery": 2, "optimizer": {"warmUp": 1},
             "vae": {"block_out_channels": [4, 4], "layers_per_block": 1, "norm_num_groups": 2,
                     "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
                     "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"],
                     "mid_block_add_attention": false}}
            """;

    @TempDir Path folder;

    private Path data;

    @BeforeEach
    void pictures() throws IOException {
        data = Files.createDirectories(folder.resolve("data"));
        for (String name : new String[] {"cat", "dog"}) {
            var picture = new BufferedImage(8, 8, BufferedImage.TYPE_INT_RGB);
            ImageIO.write(picture, "png", data.resolve(name + ".png").toFile());
            Files.writeString(data.resolve(name + ".txt"), "a " + name + " in the dark");
        }
    }

    private Path config(String name, String json) throws IOException {
        return Files.writeString(folder.resolve(name), json);
    }

    @Test
    void aStageRunsAndGoesOn() throws IOException {
        Path config = config("vae.json", VAE);
        Run first = Run.darkroom("train", "vae", "--config", config, "--data", data);
        Path out = folder.resolve("vae");
        assertEquals(0, first.exit(), first.err());
        assertEquals(out + "\n", first.out());
        assertTrue(first.err().contains("step 3 of 3  loss "), first.err());
        assertTrue(Files.exists(out.resolve("vae/diffusion_pytorch_model.safetensors")));
        assertTrue(Files.exists(out.resolve("training/samples/step-000002.png")));
        BufferedImage chart = ImageIO.read(out.resolve("training/loss.png").toFile());
        assertEquals(1000, chart.getWidth());

        Run again = Run.darkroom("train", "vae", "--config", config, "--data", data, "--quiet");
        assertEquals(0, again.exit(), again.err());
        assertEquals("", again.out() + again.err());

        Path changed = config("vae.json", VAE.replace("\"warmUp\": 1", "\"warmUp\": 2"));
        Run refused = Run.darkroom("train", "vae", "--config", changed, "--data", data);
        assertEquals(1, refused.exit());
        assertTrue(refused.err().contains("optimizer.warmUp was 1 and is 2"), refused.err());
    }

    @Test
    void aTokenizerNeedsNoSteps() throws IOException {
        Path config = config("words.json", "{\"vocabularySize\": 30}");
        Path out = folder.resolve("own");
        Run run =
                Run.darkroom(
                        "train", "tokenizer", "--config", config, "--data", data, "--out", out);
        assertEquals(0, run.exit(), run.err());
        assertTrue(Files.exists(out.resolve("tokenizer/tokenizer.json")));
        assertFalse(Files.exists(out.resolve("training/loss.png")));
    }

    private void assertRefused(int exit, String told, Object... arguments) {
        Run run = Run.darkroom(arguments);
        assertEquals(exit, run.exit(), run.err());
        assertTrue(run.err().contains(told), run.err());
    }

    @Test
    void whatIsWrongIsNamed() throws IOException {
        Path config = config("vae.json", VAE.replace("\"batch\"", "\"bach\""));
        assertRefused(1, "bach", "train", "vae", "--config", config, "--data", data);
        assertRefused(
                2, "nothing to train is called dreams", "train", "dreams", "--config", config);
        assertRefused(2, "--config", "train", "vae");
        Path fine = config("fine.json", VAE);
        assertRefused(1, "data is missing", "train", "vae", "--config", fine);
        assertRefused(1, "nowhere", "train", "vae", "--config", fine, "--data", "nowhere");
        Path none = folder.resolve("none.json");
        assertRefused(1, "none.json", "train", "vae", "--config", none, "--data", data);
        Files.delete(data.resolve("cat.txt"));
        assertRefused(
                1, "cat.png has no caption", "train", "vae", "--config", fine, "--data", data);
    }

    private static String progress(boolean terminal, Consumer<TrainProgress> run) {
        var text = new StringWriter();
        try (var progress = new TrainProgress(new PrintWriter(text), false, terminal)) {
            run.accept(progress);
            progress.endLine();
        }
        return text.toString();
    }

    private static StepReport step(long step, Double loss, long skipped) {
        return new StepReport(step, 100, loss, 1, 1.0, 12.34, 3725, skipped);
    }

    @Test
    void progressIsALineNowAndThen() {
        String text =
                progress(
                        false,
                        progress -> {
                            progress.resumed(7);
                            progress.stepped(step(8, 0.5, 0));
                            progress.stepped(step(9, 0.25, 0));
                            progress.warned("a thread is missing");
                            progress.stepped(step(100, null, 1));
                        });
        assertEquals(
                """
                goes on from step 7
                step 8 of 100  loss 0.5000  12.3 samples/s  1:02:05 left
                warning: a thread is missing.
                step 100 of 100  loss not finite  12.3 samples/s  1:02:05 left  1 skipped
                """,
                text.replace(System.lineSeparator(), "\n"));
    }

    @Test
    void onATerminalTheLineIsWrittenOver() {
        String text =
                progress(
                        true,
                        progress -> {
                            progress.prepared(16, 16);
                            progress.stepped(step(100, 0.5, 0));
                        });
        assertTrue(text.startsWith("\rencoded 16 of 16 pictures "), text);
        assertTrue(text.contains("\rstep 100 of 100  loss 0.5000"), text);
        assertTrue(text.endsWith(System.lineSeparator()), text);
    }

    @Test
    void timesAreReadable() {
        assertEquals("0:00", TrainProgress.duration(0.4));
        assertEquals("1:05", TrainProgress.duration(65));
        assertEquals("27:46:40", TrainProgress.duration(100_000));
    }

    private Path chart(String log) throws IOException {
        Path png = folder.resolve("chart.png");
        LossChart.write(Files.writeString(folder.resolve("log.jsonl"), log), png);
        return png;
    }

    @Test
    void logsOfAnyLengthAreDrawn() throws IOException {
        assertFalse(Files.exists(chart("")));
        assertFalse(Files.exists(chart("{\"step\":1,\"loss\":null}\n")));
        String line = "{\"step\":%d,\"loss\":%.4f,\"learningRate\":%.4f}%n";
        var log = new StringBuilder();
        for (int step = 1; step <= 30_000; step++) {
            double rate = 0.5 + Math.cos(Math.PI * step / 30_000) / 2;
            double loss = 5 / (1 + step / 30.0) + 0.1 + 0.02 * Math.sin(step);
            log.append(String.format(Locale.ROOT, line, step, loss, rate));
            if (step == 1) {
                assertTrue(Files.exists(chart(log.toString())));
            }
        }
        log.append("{\"step\":30001,\"loss\":null}\n").append("{\"step\":30002,\"lo");
        BufferedImage picture = ImageIO.read(chart(log.toString()).toFile());
        assertTrue(colours(picture) > 20);
    }

    private static long colours(BufferedImage picture) {
        return java.util.stream.IntStream.range(0, picture.getWidth() * picture.getHeight())
                .map(i -> picture.getRGB(i % picture.getWidth(), i / picture.getWidth()))
                .distinct()
                .count();
    }
}
