package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicReference;

/** What a picture tells of its seed and of the weights, and what the command tells of itself. */
@Timeout(60)
class SeedsAndHashesTest {
    @TempDir private Path folder;
    private final FakePipeline pipeline = new FakePipeline();

    private JsonNode recipe(Path picture) throws IOException {
        String png = Files.readString(picture, StandardCharsets.ISO_8859_1);
        int from = png.indexOf("Xtdarkroom\0");
        return new JsonMapper().readTree(png.substring(png.indexOf('{', from)));
    }

    private long seed() {
        assertNotNull(pipeline.request);
        return pipeline.request.sampling().seed();
    }

    private Path file(String name) {
        return folder.resolve(name);
    }

    @Test
    void seedsAreThoseOfPyTorch() throws IOException {
        var run =
                pipeline.sample(
                        "a",
                        "--model",
                        "m",
                        "--seed",
                        -1,
                        "--batch",
                        2,
                        "--out",
                        file("{seed}.png"));
        assertEquals(-1, seed());
        assertTrue(run.out().contains("seed 18446744073709551615,"), run.out());
        assertTrue(run.out().contains("seed 0,"), "after the last one comes 0");
        var recipe = recipe(file("18446744073709551615.png"));
        assertEquals("18446744073709551615", recipe.get("request").get("seed").asText());
        String png = Files.readString(file("0.png"), StandardCharsets.ISO_8859_1);
        assertTrue(png.contains(" Seed: 0, "), png);

        pipeline.sample(
                "a", "--model", "m", "--seed", "18446744073709551615", "--out", file("u.png"));
        assertEquals(-1, seed());
    }

    @Test
    void aPictureDoesNotWaitForTheHashesOfTheWeights() throws Exception {
        Path picture = file("a.png");
        var written = new AtomicReference<JsonNode>();
        pipeline.hashing =
                () -> {
                    try {
                        while (!Files.exists(picture)) {
                            Thread.sleep(10);
                        }
                        written.set(recipe(picture));
                    } catch (IOException | InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                };
        var run = pipeline.sample("a", "--model", "m", "--seed", 7, "--out", picture);
        assertEquals(0, run.exit(), run.err());
        assertNull(written.get().get("weights"), "complete but for the hashes");
        assertEquals(7, written.get().get("request").get("seed").asInt());
        assertEquals("00ff", recipe(picture).get("weights").get("vae/a.safetensors").asText());
    }

    @Test
    void aPictureThatWasTakenMeanwhileIsLeftAlone() throws Exception {
        Path picture = file("a.png");
        pipeline.hashing =
                () -> {
                    try {
                        while (!Files.exists(picture)) {
                            Thread.sleep(10);
                        }
                        Thread.sleep(500);
                        Files.delete(picture);
                    } catch (IOException | InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                };
        assertEquals(0, pipeline.sample("a", "--model", "m", "--out", picture).exit());
        assertFalse(Files.exists(picture));
    }

    @Test
    void hashesMayBeExactOrLeftOut() throws Exception {
        pipeline.sample("a", "--model", "m", "--weights-hash", "exact", "--out", file("a.png"));
        assertEquals(
                "11ff", recipe(file("a.png")).get("weights").get("vae/a.safetensors").asText());
        pipeline.hashing = () -> fail("hashed");
        var run =
                pipeline.sample(
                        "a", "--model", "m", "--weights-hash", "none", "--out", file("b.png"));
        assertEquals(0, run.exit(), run.err());
        assertNull(recipe(file("b.png")).get("weights"));
        String png = Files.readString(file("b.png"), StandardCharsets.ISO_8859_1);
        assertFalse(png.contains("Model hash"), png);
    }

    @Test
    void whatCantBeWrittenToStandardOutputIsAFailure() throws IOException {
        Path full = Path.of("/dev/full");
        assumeTrue(Files.exists(full));
        try (var out = new FileOutputStream(full.toFile())) {
            var err = new StringWriter();
            int exit =
                    Main.run(
                            new Stdout(out),
                            StandardCharsets.UTF_8,
                            new PrintWriter(err, true),
                            "--version");
            assertEquals(1, exit);
            assertEquals(
                    "darkroom: standard output could not be written: No space left on device.",
                    err.toString().strip());
        }
    }
}
