package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.cli.Main;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.awt.image.BufferedImage;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

import javax.imageio.ImageIO;

/** {@code darkroom sample} from the command line to the files, with real checkpoints. */
class SampleCommandTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir private Path folder;

    /** What a command said. */
    private record Run(int exit, String out, String err) {}

    private static Run sample(Object... arguments) {
        var out = new StringWriter();
        var err = new StringWriter();
        String[] line =
                Stream.concat(Stream.of("sample"), Stream.of(arguments).map(Object::toString))
                        .toArray(String[]::new);
        int exit = Main.run(new PrintWriter(out), new PrintWriter(err, true), line);
        return new Run(exit, out.toString(), err.toString());
    }

    private static Path model(String name) {
        return Cases.named(name).resolve("model");
    }

    /** The settings of the PixArt cases' smallest pictures. */
    private static List<Object> small(Object... more) {
        List<Object> line =
                new ArrayList<>(
                        List.of("--width", 16, "--height", 16, "--no-binning", "--steps", 2));
        line.addAll(List.of(more));
        return line;
    }

    private List<String> files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"pixart_alpha", "pixart_sigma"})
    void traceAndPictureAreTheReference(String name) throws IOException {
        Path expected = Cases.named(name).resolve("expected.safetensors");
        JsonNode call = JSON.readTree(Cases.named(name).resolve("case.json").toFile());
        Path trace = folder.resolve("trace.safetensors");
        Path picture = folder.resolve("picture.png");
        var run =
                sample(
                        call.get("prompt").asText(),
                        "--negative",
                        call.get("negative_prompt").asText(),
                        "--model",
                        model(name),
                        "--steps",
                        call.get("steps").asInt(),
                        "--guidance",
                        call.get("guidance_scale").asDouble(),
                        "--width",
                        call.get("width").asInt(),
                        "--height",
                        call.get("height").asInt(),
                        "--max-tokens",
                        call.get("max_sequence_length").asInt(),
                        "--no-binning",
                        "--latents",
                        expected,
                        "--trace",
                        trace,
                        "--out",
                        picture,
                        "--quiet");
        assertEquals(new Run(0, "", ""), run);
        try (var comparison = new Comparison(expected);
                var traced = Safetensors.open(trace, LoadMode.READ)) {
            for (String tensor : traced.names()) {
                try (var value = traced.tensor(tensor)) {
                    comparison.compare(tensor, value);
                }
            }
            comparison.report(name);
            try (var image = traced.tensor("image")) {
                assertShows(image, ImageIO.read(picture.toFile()));
            }
        }
    }

    /**
     * @param image {@code [1,H,W,3]} from 0 to 1
     */
    private static void assertShows(Tensor image, BufferedImage picture) {
        assertEquals(image.size(1), picture.getHeight());
        assertEquals(image.size(2), picture.getWidth());
        float[] values = image.toFloatArray();
        for (int i = 0; i < values.length; i++) {
            int pixel = i / 3;
            int rgb = picture.getRGB(pixel % picture.getWidth(), pixel / picture.getWidth());
            assertEquals(Math.rint(values[i] * 255), rgb >> 8 * (2 - i % 3) & 0xff);
        }
    }

    @Test
    void aPictureCanBeMadeAgainFromItsRecipe() throws IOException {
        Path first = folder.resolve("first.png");
        List<Object> line = small("a red heart", "--negative", "blue", "--out", first);
        line.addAll(
                List.of("--model", model("pixart_alpha"), "--guidance", 3, "--sampler", "ddim"));
        assertEquals(0, sample(line.toArray()).exit());

        String png = Files.readString(first, StandardCharsets.ISO_8859_1);
        JsonNode recipe = JSON.readTree(png.substring(png.indexOf('{', png.indexOf("darkroom\0"))));
        assertEquals(3, recipe.get("weights").size());
        JsonNode request = recipe.get("request");
        JsonNode used = recipe.get("used");
        Path second = folder.resolve("second.png");
        var again =
                sample(
                        request.get("prompt").asText(),
                        "--negative",
                        request.get("negativePrompt").asText(),
                        "--model",
                        model("pixart_alpha"),
                        "--steps",
                        request.get("steps").asText(),
                        "--guidance",
                        request.get("guidanceScale").asText(),
                        "--sampler",
                        request.get("sampler").asText(),
                        "--seed",
                        request.get("seed").asText(),
                        "--width",
                        request.get("width").asText(),
                        "--height",
                        request.get("height").asText(),
                        "--no-binning",
                        "--dtype",
                        used.get("dtype").asText(),
                        "--device",
                        used.get("device").asText(),
                        "--out",
                        second);
        assertEquals("", again.err());
        assertArrayEquals(Files.readAllBytes(first), Files.readAllBytes(second));
    }

    @Test
    void stripAndGridShowTheBatch() throws IOException {
        List<Object> line = small("a red heart", "--model", model("pixart_alpha"), "--batch", 3);
        line.addAll(List.of("--grid", "--out", folder.resolve("g.png")));
        line.addAll(List.of("--steps-strip", folder.resolve("s.png"), "--json"));
        var run = sample(line.toArray());
        assertEquals("", run.err());
        assertEquals(2, JSON.readTree(run.out()).get("files").size());
        var grid = ImageIO.read(folder.resolve("g.png").toFile());
        assertEquals(32, grid.getWidth());
        assertEquals(32, grid.getHeight());
        var strip = ImageIO.read(folder.resolve("s.png").toFile());
        assertEquals(2 * 16, strip.getWidth());
        assertEquals(3 * 16, strip.getHeight());
        // The last estimate is the result.
        assertEquals(grid.getRGB(3, 5), strip.getRGB(16 + 3, 5));
        assertEquals(grid.getRGB(16 + 3, 5), strip.getRGB(16 + 3, 16 + 5));
    }

    private void assertRefused(String expected, Object... arguments) throws IOException {
        List<Object> line = new ArrayList<>(List.of(arguments));
        line.addAll(List.of("--out", folder.resolve("a.png")));
        List<String> before = files();
        var run = sample(line.toArray());
        assertEquals(1, run.exit(), run.err());
        assertTrue(run.err().contains(expected), run.err());
        assertEquals(1, run.err().lines().count(), run.err());
        assertFalse(run.err().contains("Exception"), run.err());
        assertEquals("", run.out());
        assertEquals(before, files());
    }

    @Test
    void whatDoesNotFitTheCheckpointIsRefused() throws IOException {
        Path pixart = model("pixart_alpha");
        Path dit = model("dit");
        assertRefused("no model folder", "a", "--model", folder.resolve("no"));
        assertRefused("model_index.json", "a", "--model", pixart.resolve("vae"));
        assertRefused("multiples of 4", "a", "--model", pixart, "--width", 17, "--no-binning");
        assertRefused("characters, not 100000", "x".repeat(100_000), "--model", pixart);
        assertRefused("takes a prompt, not a class", "--class", "3", "--model", pixart);
        assertRefused("takes no prompt", "a", "--model", dit);
        assertRefused("takes no prompt", "", "--model", dit);
        assertRefused("no class \"5000\"", "--class", "5000", "--model", dit);
        assertRefused("there is no device cuda:99", "a", "--model", pixart, "--device", "cuda:99");
        assertRefused(
                "have shape [2, 4, 8, 8]",
                "a",
                "--model",
                pixart,
                "--latents",
                Cases.named("dit").resolve("expected.safetensors"));
    }

    @Test
    void brokenCheckpointsAreRefused() throws IOException {
        Path model = folder.resolve("model");
        try (Stream<Path> files = Files.walk(model("pixart_alpha"))) {
            for (Path file : files.toList()) {
                Path copy = model.resolve(model("pixart_alpha").relativize(file).toString());
                Files.copy(file, copy, StandardCopyOption.REPLACE_EXISTING);
            }
        }
        Path weights = model.resolve("transformer/diffusion_pytorch_model.safetensors");
        byte[] whole = Files.readAllBytes(weights);
        Files.write(weights, Arrays.copyOf(whole, 1000));
        assertRefused(weights.toString(), "a", "--model", model);
        Files.delete(weights);
        assertRefused("transformer", "a", "--model", model);
        Path index = model.resolve("model_index.json");
        Files.writeString(index, Files.readString(index).replace("PixArtAlpha", "Sketch"));
        String supported =
                "supported are ConsistencyModelPipeline, DDIMPipeline, DDPMPipeline, DiTPipeline,"
                        + " LatentConsistencyModelImg2ImgPipeline,"
                        + " LatentConsistencyModelPipeline, PixArtAlpha";
        assertRefused(supported, "a", "--model", model);
    }

    @Test
    void moreMemoryThanThereIsIsRefusedBeforeLoading() throws IOException {
        System.setProperty(MemoryBudget.PROPERTY, "10m");
        try {
            assertRefused("only 10.0 MiB are available", "a", "--model", model("pixart_alpha"));
        } finally {
            System.clearProperty(MemoryBudget.PROPERTY);
        }
    }

    @Test
    void aStopSignalEndsTheRunAndLeavesNothing() throws IOException, InterruptedException {
        List<Object> line =
                List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java"),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "dev.darkroom.cli.Main",
                        "sample",
                        "--class",
                        3,
                        "--model",
                        model("dit").toAbsolutePath(),
                        "--steps",
                        1000,
                        "--batch",
                        32,
                        "--threads",
                        1,
                        "--steps-strip",
                        folder.resolve("s.png"),
                        "--out",
                        folder.resolve("a.png"));
        var process =
                new ProcessBuilder(line.stream().map(Object::toString).toList())
                        .redirectErrorStream(true)
                        .start();
        process.getOutputStream().close();
        // Give it time to be somewhere in loading or sampling; any place must do.
        assertFalse(process.waitFor(2, TimeUnit.SECONDS));
        process.toHandle().destroy(); // SIGTERM, which takes the same way as Ctrl-C's SIGINT
        try (BufferedReader said = process.inputReader()) {
            String text = said.lines().reduce("", String::concat);
            assertEquals(128 + 15, process.waitFor(), text);
        }
        assertEquals(List.of(), files());
    }
}
