package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.family.Edit;
import dev.darkroom.models.pipeline.Sampling;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

import javax.imageio.ImageIO;

class InvertCommandTest {
    @TempDir private Path folder;

    private final FakePipeline pipeline = new FakePipeline();
    private Path picture = Path.of("");
    private Path out = Path.of("");

    @BeforeEach
    void makePicture() throws IOException {
        picture = folder.resolve("picture.png");
        out = folder.resolve("latents.safetensors");
        var image = new BufferedImage(6, 4, BufferedImage.TYPE_INT_RGB);
        ImageIO.write(image, "png", picture.toFile());
    }

    @Test
    void everyOptionReachesThePipeline() throws IOException {
        var run =
                pipeline.invert(
                        picture,
                        "a heart",
                        "--model",
                        "m",
                        "--steps",
                        7,
                        "--guidance",
                        1.5,
                        "--sampler",
                        "ddim",
                        "--iterations",
                        5,
                        "--negative",
                        "blue",
                        "--width",
                        64,
                        "--out",
                        out);
        assertEquals("", run.err());
        assertEquals(0, run.exit());
        var request = pipeline.request;
        assertNotNull(request);
        assertEquals("a heart", request.inputs().prompt());
        assertEquals("blue", request.inputs().negativePrompt());
        assertEquals(new Sampling(7, 1.5, null, "ddim", 0), request.sampling());
        assertEquals(64, request.size().width());
        Edit edit = request.inputs().edit();
        assertNotNull(edit);
        assertEquals(6, edit.picture().width());
        try (var file = Safetensors.open(out, LoadMode.READ);
                var latents = file.tensor(TensorOptions.START)) {
            assertArrayEquals(new float[] {5}, latents.toFloatArray());
        }
        assertEquals(
                out + "  for --sampler ddim --steps 3 --guidance 1.0\n", run.out(), run.toString());
        assertTrue(pipeline.closed);
    }

    @Test
    void aPromptMayBeLeftOut() {
        assertEquals(0, pipeline.invert(picture, "--model", "m", "--out", out, "--quiet").exit());
        var request = pipeline.request;
        assertNotNull(request);
        assertEquals("", request.inputs().prompt());
        assertEquals(new Sampling(null, 1.0, null, "euler", 0), request.sampling());
    }

    @Test
    void whatIsWrongIsSaid() {
        var both = pipeline.invert(picture, "a heart", "--class", "3", "--out", out);
        assertEquals(2, both.exit());
        assertTrue(both.err().contains("not both"), both.err());
        var absent = pipeline.invert(folder.resolve("absent.png"), "--model", "m", "--out", out);
        assertEquals(1, absent.exit());
        assertTrue(absent.err().contains("absent.png"), absent.err());
        pipeline.cancelled = true;
        var cancelled = pipeline.invert(picture, "--model", "m", "--out", out);
        assertEquals(1, cancelled.exit());
        assertEquals("darkroom: cancelled, nothing was written.\n", cancelled.err());
        assertFalse(Files.exists(out));
    }
}
