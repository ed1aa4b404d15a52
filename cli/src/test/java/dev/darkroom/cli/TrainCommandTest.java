package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

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
        assertTrue(first.err().contains("step 3 of 3, loss "), first.err());
        assertTrue(Files.exists(out.resolve("vae/diffusion_pytorch_model.safetensors")));
        assertTrue(Files.exists(out.resolve("training/samples/step-000002.png")));
        BufferedImage chart = ImageIO.read(out.resolve("training/loss.png").toFile());
        assertTrue(chart.getWidth() > 500);

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

    private void assertRefused(int exit, String message, Object... arguments) {
        Run run = Run.darkroom(arguments);
        assertEquals(exit, run.exit(), run.err());
        assertTrue(run.err().contains(message), run.err());
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
                1,
                "cat.png: its caption is missing",
                "train",
                "vae",
                "--config",
                fine,
                "--data",
                data);
    }

    private Run dryRun(String stage, Path config, Object... more) {
        List<Object> arguments =
                new ArrayList<>(
                        List.of("train", stage, "--config", config, "--data", data, "--dry-run"));
        arguments.addAll(List.of(more));
        return Run.darkroom(arguments.toArray());
    }

    @Test
    void aDryRunReadsEverythingAndWritesNothing() throws IOException {
        Path config = config("vae.json", VAE);
        ImageIO.write(
                new BufferedImage(20, 9, BufferedImage.TYPE_INT_RGB),
                "png",
                data.resolve("bird.png").toFile());
        Files.writeString(data.resolve("bird.txt"), "\ufeffa bird\n of  night ");
        Files.writeString(data.resolve("notes.md"), "why");
        Run run = dryRun("vae", config);
        assertEquals("", run.err());
        assertEquals(
                """
                pictures: 3, from 8×8 to 20×9, most often 8×8 (2)
                captions: 3 different
                  bird.png: a bird of night
                  cat.png: a cat in the dark
                  dog.png: a dog in the dark
                left out: 1 file, such as notes.md
                """,
                run.out());
        assertEquals(0, run.exit());
        assertFalse(Files.exists(folder.resolve("vae")));
        assertEquals("", dryRun("vae", config, "--quiet").out());
    }

    @Test
    void aDryRunNamesTheFirstTenProblemsAndCountsAll() throws IOException {
        for (int i = 10; i < 22; i++) {
            Files.write(data.resolve("p" + i + ".jpg"), new byte[] {(byte) 0xff, (byte) 0xd8, -1});
            Files.writeString(data.resolve("p" + i + ".txt"), "broken");
        }
        Files.delete(data.resolve("cat.txt"));
        Path config = config("words.json", "{\"vocabularySize\": 30}");
        Run run = dryRun("tokenizer", config);
        assertEquals(1, run.exit());
        String err = run.err();
        assertTrue(err.startsWith("can't be trained on: 13 files\n"), err);
        assertTrue(err.contains("cat.png: its caption is missing"), err);
        assertTrue(
                err.contains("p18.jpg: the picture can't be read: it is cut off after 3 bytes"),
                err);
        assertFalse(err.contains("p19.jpg"), err);
        assertTrue(err.endsWith("  and 3 more\n"), err);
        assertTrue(run.out().startsWith("pictures: 1, of 8×8\n"), run.out());
        assertFalse(Files.exists(folder.resolve("words")));
    }

    @Test
    void aPictureThatIsFoundBrokenInTheMiddleIsNamed() throws IOException {
        Path config = config("vae.json", VAE);
        byte[] png = Files.readAllBytes(data.resolve("dog.png"));
        Files.write(data.resolve("dog.png"), Arrays.copyOf(png, png.length / 2));
        assertRefused(
                1,
                "dog.png: the picture can't be read: it is cut off after " + png.length / 2,
                "train",
                "vae",
                "--config",
                config,
                "--data",
                data);
    }
}
