package dev.darkroom.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.models.diffusion.diffusers.LevelChoice;
import dev.darkroom.models.diffusion.diffusers.LevelSpacing;
import dev.darkroom.models.diffusion.guidance.NamedGuidance;
import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.family.Inputs;
import dev.darkroom.models.family.PromptReading;
import dev.darkroom.models.family.PromptSyntax;
import dev.darkroom.models.family.RequestedSize;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.SizeCondition;
import dev.darkroom.models.pipeline.EmbeddedModel;
import dev.darkroom.models.pipeline.Embedding;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.Sampling;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import javax.imageio.ImageIO;

class SampleCommandTest {
    @TempDir private Path folder;

    private final FakePipeline pipeline = new FakePipeline();

    private Path file(String name) {
        return folder.resolve(name);
    }

    private Set<String> files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).collect(Collectors.toSet());
        }
    }

    private static int grey(BufferedImage image, int x, int y) {
        return image.getRGB(x, y) & 0xff;
    }

    @Test
    void controlsReachThePipeline() throws IOException {
        for (String name : List.of("edges.png", "a:pose.png")) {
            ImageIO.write(
                    new BufferedImage(3, 2, BufferedImage.TYPE_INT_RGB),
                    "png",
                    file(name).toFile());
        }
        var run =
                pipeline.sample(
                        "a heart",
                        "--control",
                        "nets/canny",
                        "--control-image",
                        file("edges.png") + ":scale=0.5,start=0.1,end=0.75,guess=true",
                        "--control",
                        "some/openpose",
                        "--control-image",
                        file("a:pose.png"),
                        "--out",
                        file("x.png"),
                        "--json");
        assertEquals("", run.err());
        assertEquals(0, run.exit());
        assertEquals(List.of("nets/canny", "some/openpose"), pipeline.options.controls());
        var controls = pipeline.request.inputs().controls();
        assertEquals(2, controls.size());
        var first = controls.getFirst();
        assertEquals(new Size(2, 3), first.picture().size());
        assertEquals(
                first,
                ControlPicture.of(first.picture())
                        .withScale(0.5)
                        .between(0.1, 0.75)
                        .withGuess(true));
        assertEquals(ControlPicture.of(controls.get(1).picture()), controls.get(1));
        var request = new JsonMapper().readTree(run.out()).get("request");
        assertEquals(
                "[{\"size\":\"3×2\",\"scale\":0.5,\"start\":0.1,\"end\":0.75,\"guess\":true},"
                        + "{\"size\":\"3×2\",\"scale\":1.0,\"start\":0.0,\"end\":1.0}]",
                request.get("controls").toString());
    }

    @Test
    void wrongControlsAreExplained() throws IOException {
        ImageIO.write(
                new BufferedImage(3, 2, BufferedImage.TYPE_INT_RGB),
                "png",
                file("edges.png").toFile());
        Files.writeString(file("text.png"), "no picture");
        var wrong =
                Map.of(
                        file("edges.png") + ":size=2",
                        "no setting 'size', only scale, start, end",
                        file("edges.png") + ":scale=much",
                        "scale of a control image is a number",
                        file("edges.png") + ":guess=maybe",
                        "guess of a control image is true or",
                        file("edges.png") + ":start=0.5,end=0.5",
                        "from 0.5 to 0.5",
                        file("edges.png") + ":scale=1,end",
                        "'end' of the control image",
                        file("edges.png") + ":scale=NaN",
                        "scale is a number, not NaN",
                        file("none.png").toString(),
                        "none.png",
                        file("text.png").toString(),
                        "text.png");
        wrong.forEach(
                (image, message) -> {
                    var run = pipeline.sample("a heart", "--control-image", image);
                    assertNotEquals(0, run.exit());
                    assertTrue(run.err().contains(message), run.err());
                    assertFalse(run.err().contains("Exception"), run.err());
                });
        assertNotEquals(0, pipeline.sample("a heart", "--control", " ").exit());
        assertNull(pipeline.request);
    }

    @Test
    void everyOptionReachesThePipeline() throws IOException {
        var run =
                pipeline.sample(
                        "a heart",
                        "--model",
                        "some/model",
                        "--negative",
                        "blue",
                        "--steps",
                        4,
                        "--guidance",
                        3.5,
                        "--sampler",
                        "euler",
                        "--seed",
                        7,
                        "--width",
                        64,
                        "--height",
                        32,
                        "--batch",
                        2,
                        "--dtype",
                        "bfloat16",
                        "--device",
                        "cuda:1",
                        "--threads",
                        3,
                        "--vae-dtype",
                        "float32",
                        "--variant",
                        "fp16",
                        "--strict",
                        "--max-tokens",
                        24,
                        "--no-binning",
                        "--out",
                        file("{seed}.png"));
        assertEquals("", run.err());
        assertEquals(0, run.exit());
        assertEquals(Path.of("some/model"), pipeline.folder);
        assertEquals(
                PipelineOptions.defaults()
                        .withDtype(DType.BFLOAT16)
                        .withDevice(Device.cuda(1))
                        .withThreads(3)
                        .withVaeDtype(DType.FLOAT32)
                        .withVariant("fp16")
                        .withStrict(true)
                        .withLogging(false),
                pipeline.options);
        assertEquals(
                new SampleRequest(
                        new Inputs("a heart", "blue", List.of(), 24, 2),
                        new Sampling(4, 3.5, null, "euler", 7),
                        new RequestedSize(64, 32, false)),
                pipeline.request);
        assertEquals(Set.of("7.png", "8.png"), files());
        assertEquals(
                "%s  4×4, seed 7, 4 steps%n%s  4×4, seed 8, 4 steps%n"
                        .formatted(file("7.png"), file("8.png"))
                        .replace(System.lineSeparator(), "\n"),
                run.out());
        assertTrue(pipeline.closed);
    }

    @Test
    void promptsAreReadAsAskedForAndTheRecipeSaysSo() throws IOException {
        pipeline.embeddings =
                List.of(
                        Map.of("token", "<cat: toy>", "sha256", "0123456789abcdef"),
                        Map.of("token", "style", "sha256", "fedcba9876543210"));
        var run =
                pipeline.sample(
                        "a (heart:1.2), <cat: toy>",
                        "--model",
                        "m",
                        "--prompt-syntax",
                        "weighted",
                        "--long-prompts",
                        "--embedding",
                        "cat.safetensors=<cat: toy>",
                        "--embedding",
                        "org/style",
                        "--out",
                        file("a.png"));
        assertEquals("", run.err());
        assertEquals(
                List.of(
                        new Embedding("cat.safetensors", "<cat: toy>"),
                        new Embedding("org/style", null)),
                pipeline.options.embeddings());
        assertEquals(
                new PromptReading(PromptSyntax.WEIGHTED, true),
                pipeline.request.inputs().reading());
        String png = Files.readString(file("a.png"), StandardCharsets.ISO_8859_1);
        assertTrue(png.contains(", TI hashes: \"<cat toy>: 0123456789ab\", Version"), png);
        int from = png.indexOf("Xtdarkroom\0");
        var recipe =
                new JsonMapper().readTree(png.substring(png.indexOf('{', from))).get("request");
        assertEquals("weighted", recipe.get("promptSyntax").asText());
        assertTrue(recipe.get("longPrompts").asBoolean());
        assertEquals(2, pipeline.sample("a", "--prompt-syntax", "weigthed").exit());
        assertEquals(2, pipeline.sample("a", "--model", "m", "--embedding", "a=").exit());
        assertEquals(
                2,
                pipeline.sample("a", "--model", "m", "--long-prompts", "--max-tokens", 9).exit());
    }

    @Test
    void guidanceIsNamedWithItsSettings() {
        var run =
                pipeline.sample(
                        "a heart",
                        "--model",
                        "m",
                        "--guidance",
                        3,
                        "--guidance-kind",
                        "apg:eta=0.5,momentum=-0.5",
                        "--out",
                        file("a.png"));
        assertEquals(0, run.exit(), run.err());
        assertEquals(
                NamedGuidance.parse("apg:eta=0.5,momentum=-0.5"),
                pipeline.request.sampling().guidance());
        var typo = pipeline.sample("a", "--model", "m", "--guidance-kind", "apg:etta=1");
        assertEquals(2, typo.exit());
        assertTrue(typo.err().contains("did you mean eta?"), typo.err());
    }

    @Test
    void aSamplerTakesSettingsAndLevels() {
        var run =
                pipeline.sample(
                        "a heart",
                        "--model",
                        "m",
                        "--sampler",
                        "heun:s_churn=20",
                        "--sigmas",
                        "14.6,3,0.5",
                        "--out",
                        file("a.png"));
        assertEquals(0, run.exit(), run.err());
        assertEquals("heun:s_churn=20", requireRequest().sampling().sampler());
        assertEquals(
                LevelChoice.ofSigmas(List.of(14.6, 3.0, 0.5)),
                requireRequest().sampling().levels());
        assertEquals(3, requireRequest().sampling().steps());
        pipeline.sample(
                "a", "--model", "m", "--timesteps", "999,5", "--eta", 0.5, "--out", file("a.png"));
        assertEquals(
                LevelChoice.ofTimesteps(List.of(999.0, 5.0)), requireRequest().sampling().levels());
        assertEquals(0.5, requireRequest().sampling().eta());
        pipeline.sample("a", "--model", "m", "--levels", "ays-sdxl", "--out", file("a.png"));
        assertEquals(LevelChoice.of(LevelSpacing.AYS_SDXL), requireRequest().sampling().levels());
        for (var wrong :
                List.of(
                        List.of("--levels", "cosine"),
                        List.of("--sampler", "heun:churn=2"),
                        List.of("--sampler", "hoyn"),
                        List.of("--sigmas", "1,2"),
                        List.of("--sigmas", "2,1", "--levels", "beta"),
                        List.of("--sigmas", "2,1", "--steps", "4"))) {
            var arguments = new ArrayList<Object>(List.of("a", "--model", "m"));
            arguments.addAll(wrong);
            assertEquals(2, pipeline.sample(arguments.toArray()).exit(), wrong.toString());
        }
    }

    @Test
    void aWeakerModelGuides() throws IOException {
        pipeline.sample("a", "--model", "m", "--out", file("a.png"));
        assertNull(pipeline.options.autoGuidance());
        var run =
                pipeline.sample(
                        "a", "--model", "m", "--auto-guidance", "org/weak", "--out", file("b.png"));
        assertEquals(0, run.exit(), run.err());
        assertEquals("org/weak", pipeline.options.autoGuidance());
        assertEquals(2, pipeline.sample("a", "--model", "m", "--auto-guidance", " ").exit());
    }

    @Test
    void aVariantIsAPartOfAName() {
        var run = pipeline.sample("a", "--model", "m", "--variant", "../fp16");
        assertEquals(2, run.exit());
        assertTrue(run.err().contains("a variant is a part of a file's name"), run.err());
    }

    @Test
    void whatIsNotGivenIsLeftToTheCheckpoint() {
        pipeline.sample("a heart", "--model", "m", "--seed", 7, "--out", file("a.png"));
        assertEquals(SampleRequest.builder().prompt("a heart").seed(7).build(), pipeline.request);
        assertEquals(PipelineOptions.defaults().withLogging(false), pipeline.options);
    }

    @Test
    void aRandomSeedIsDrawnAndTold() throws IOException {
        var run = pipeline.sample("a", "--model", "m", "--out", file("a.png"));
        long first = requireRequest().sampling().seed();
        assertTrue(run.out().contains("seed " + first + ","), run.out());
        pipeline.sample("a", "--model", "m", "--out", file("a.png"));
        assertNotEquals(first, requireRequest().sampling().seed());
    }

    private SampleRequest requireRequest() {
        assertNotNull(pipeline.request);
        return pipeline.request;
    }

    @Test
    void classesMakeABatch() {
        pipeline.sample(
                "--class", "9", "--class", "tench, fish", "--model", "m", "--out", file("a.png"));
        assertEquals(List.of("9", "tench, fish"), requireRequest().inputs().classes());
        assertEquals(2, requireRequest().inputs().batch());
        assertNull(requireRequest().inputs().prompt());
    }

    @Test
    void aPromptMayBeginWithAnAtSign() {
        pipeline.sample("@home", "--model", "m", "--out", file("a.png"));
        assertEquals("@home", requireRequest().inputs().prompt());
    }

    @Test
    void gridStripAndTraceAreWritten() throws IOException {
        long before = Memory.liveTensors();
        var run =
                pipeline.sample(
                        "a",
                        "--model",
                        "m",
                        "--batch",
                        3,
                        "--grid",
                        "--seed",
                        7,
                        "--steps",
                        2,
                        "--out",
                        file("g.png"),
                        "--steps-strip",
                        file("s.png"),
                        "--trace",
                        file("t.safetensors"));
        assertEquals("", run.err());
        assertEquals(Set.of("g.png", "s.png", "t.safetensors"), files());
        assertTrue(run.out().startsWith(file("g.png") + "  4×4, seed 7 to 9, 2 steps"), run.out());
        assertTrue(run.out().endsWith(file("s.png") + "\n" + file("t.safetensors") + "\n"));
        var grid = ImageIO.read(file("g.png").toFile());
        assertEquals(8, grid.getWidth());
        assertEquals(8, grid.getHeight());
        assertEquals(1, grey(grid, 0, 0));
        assertEquals(2, grey(grid, 4, 0));
        assertEquals(3, grey(grid, 0, 4));
        assertEquals(0, grey(grid, 4, 4));
        var strip = ImageIO.read(file("s.png").toFile());
        assertEquals(8, strip.getWidth());
        assertEquals(12, strip.getHeight());
        assertEquals(1, grey(strip, 0, 8));
        assertEquals(2, grey(strip, 4, 8));
        try (var trace = Safetensors.open(file("t.safetensors"), LoadMode.READ);
                var last = trace.tensor("latents_01")) {
            assertEquals(Set.of("latents_00", "latents_01"), trace.names());
            assertArrayEquals(new float[] {2, 2, 2}, last.toFloatArray());
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void aLongStripHasTwentyColumnsAndEndsWithTheLastStep() throws IOException {
        pipeline.sample(
                "a",
                "--model",
                "m",
                "--steps",
                50,
                "--out",
                file("a.png"),
                "--steps-strip",
                file("s.png"));
        var strip = ImageIO.read(file("s.png").toFile());
        assertEquals(20 * 4, strip.getWidth());
        assertEquals(3, grey(strip, 0, 0));
        assertEquals(50, grey(strip, 19 * 4, 0));
    }

    @Test
    void latentsAreReadFromAFile() throws IOException {
        Path start = file("start.safetensors");
        try (var tensor = Tensor.copyOf(new float[] {1, 2}, 1, 1, 1, 2)) {
            SafetensorsWriter.write(start, Map.of("latents_init", tensor), Map.of());
        }
        long before = Memory.liveTensors();
        var run = pipeline.sample("a", "--model", "m", "--latents", start, "--out", file("a.png"));
        assertEquals("", run.err());
        assertArrayEquals(new float[] {1, 2}, pipeline.start);
        assertEquals(before, Memory.liveTensors());
    }

    /** What the base model left noisy, the refiner takes from the trace. */
    @Test
    void aLateStartTakesTheLastLatentsOfATrace() throws IOException {
        Path trace = file("trace.safetensors");
        try (var one = Tensor.copyOf(new float[] {1}, 1, 1, 1, 1);
                var two = Tensor.copyOf(new float[] {2}, 1, 1, 1, 1);
                var three = Tensor.copyOf(new float[] {3}, 1, 1, 1, 1)) {
            SafetensorsWriter.write(
                    trace,
                    Map.of("latents_init", one, "latents_99", two, "latents_100", three),
                    Map.of());
        }
        pipeline.sample(
                "a", "--model", "m", "--latents", trace, "--start", 0.8, "--out", file("a.png"));
        assertArrayEquals(new float[] {3}, pipeline.start);
        assertEquals(0.8, requireRequest().sampling().start());
    }

    @Test
    void sizesOfANetworkAreNamed() {
        var run =
                pipeline.sample(
                        "a",
                        "--model",
                        "m",
                        "--original-size",
                        "640x480",
                        "--crop",
                        "64,8",
                        "--width",
                        48,
                        "--height",
                        32,
                        "--out",
                        file("a.png"));
        assertEquals(0, run.exit(), run.err());
        assertEquals(
                new SizeCondition(new Size(480, 640), 8, 64, new Size(32, 48)),
                requireRequest().inputs().sizes());
        pipeline.sample("a", "--model", "m", "--target-size", "9x8", "--out", file("a.png"));
        assertEquals(SizeCondition.of(new Size(8, 9)), requireRequest().inputs().sizes());
        run = pipeline.sample("a", "--model", "m", "--crop", "1,2", "--out", file("a.png"));
        assertEquals(2, run.exit());
        assertTrue(run.err().contains("go with --target-size"), run.err());
        run = pipeline.sample("a", "--model", "m", "--crop", "1x2", "--out", file("a.png"));
        assertTrue(run.err().contains("a crop is LEFT,TOP in pixels"), run.err());
    }

    @Test
    void aPictureToStartFromIsReadWithItsMask() throws IOException {
        var image = new BufferedImage(4, 2, BufferedImage.TYPE_INT_ARGB);
        image.setRGB(1, 0, 0xffff0000);
        Path init = file("init.png");
        ImageIO.write(image, "png", init.toFile());
        var run =
                pipeline.sample(
                        "a",
                        "--model",
                        "m",
                        "--init",
                        init,
                        "--mask",
                        "alpha",
                        "--out",
                        file("a.png"));
        assertEquals(0, run.exit(), run.err());
        var edit = Objects.requireNonNull(requireRequest().inputs().edit());
        assertNull(edit.strength());
        assertArrayEquals(
                new float[] {1, 0, 1, 1, 1, 1, 1, 1}, Objects.requireNonNull(edit.mask()).values());
        pipeline.sample(
                "a",
                "--model",
                "m",
                "--init",
                init,
                "--strength",
                0.6,
                "--noise-level",
                30,
                "--out",
                file("a.png"));
        edit = Objects.requireNonNull(requireRequest().inputs().edit());
        assertEquals(0.6, edit.strength());
        assertEquals(30, edit.noiseLevel());
    }

    @Test
    void badPicturesToStartFromAreRefusedBeforeLoading() throws IOException {
        Path init = file("init.png");
        ImageIO.write(new BufferedImage(4, 2, BufferedImage.TYPE_INT_RGB), "png", init.toFile());
        Path small = file("small.png");
        ImageIO.write(new BufferedImage(2, 2, BufferedImage.TYPE_INT_RGB), "png", small.toFile());
        Path broken = Files.write(file("broken.png"), new byte[] {1, 2, 3});
        assertRefused("the mask is 2×2, but the picture 4×2", "--init", init, "--mask", small);
        assertRefused("name it with --init", "--mask", small);
        assertRefused("name it with --init", "--strength", 0.5);
        assertRefused("name it with --init", "--noise-level", 5);
        assertRefused("negative", "--init", init, "--noise-level", -5);
        assertRefused("not 1.5", "--init", init, "--strength", 1.5);
        assertRefused("not 0.0", "--init", init, "--strength", 0);
        assertRefused("broken.png", "--init", broken);
        assertRefused("gone.png", "--init", file("gone.png"));
        assertRefused("transparent", "--init", init, "--mask", "alpha");
    }

    private void assertRefused(String reason, Object... options) {
        var all = new ArrayList<Object>(List.of("a", "--model", "m", "--out", file("a.png")));
        all.addAll(List.of(options));
        var run = pipeline.sample(all.toArray());
        assertTrue(run.exit() != 0 && run.err().contains(reason), run.err());
        assertNull(pipeline.folder);
    }

    @Test
    void theRecipeIsInThePicture() throws IOException {
        var run =
                pipeline.sample(
                        "a ♥",
                        "--model",
                        "m",
                        "--negative",
                        "blue",
                        "--seed",
                        7,
                        "--batch",
                        2,
                        "--out",
                        file("{index}.png"));
        assertEquals("", run.err());
        String png = Files.readString(file("2.png"), StandardCharsets.ISO_8859_1);
        String parameters =
                "a ♥\nNegative prompt: blue\nSteps: 3, Sampler: DDIMScheduler, CFG scale: 4.5,"
                        + " Seed: 8, Size: 4x4, Model hash: ";
        String utf8 =
                new String(
                        parameters.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
        assertTrue(png.contains("iTXtparameters\0\0\0\0\0" + utf8), png);
        assertTrue(png.contains(", Model: \"fake: one, two\", Version: darkroom "), png);
        int from = png.indexOf("iTXtdarkroom\0\0\0\0\0");
        var recipe = new JsonMapper().readTree(png.substring(png.indexOf('{', from)));
        assertEquals(1, recipe.get("index").asInt());
        assertEquals(7, recipe.get("request").get("seed").asInt());
        assertEquals(2, recipe.get("request").get("batch").asInt());
        assertEquals(4.5, recipe.get("used").get("guidanceScale").asDouble());
        assertEquals("00ff", recipe.get("weights").get("vae/a.safetensors").asText());
        assertEquals(
                System.getProperty("java.version"), recipe.get("versions").get("java").asText());
        assertFalse(recipe.get("versions").get("libtorch").asText().isEmpty());
        assertFalse(recipe.get("machine").get("cpuCapability").asText().isEmpty());
    }

    @Test
    void theSameRunGivesTheSameFile() throws IOException {
        for (String name : List.of("a.png", "b.png")) {
            pipeline.sample("a", "--model", "m", "--seed", 7, "--out", file(name));
        }
        assertArrayEquals(Files.readAllBytes(file("a.png")), Files.readAllBytes(file("b.png")));
    }

    @Test
    void jsonTellsEverythingOnOneLine() throws IOException {
        pipeline.warningsOfLoading = List.of("x.json: an option is not known");
        pipeline.warnings = List.of("the prompt was cut");
        var run =
                pipeline.sample(
                        "a",
                        "--model",
                        "m",
                        "--seed",
                        7,
                        "--batch",
                        2,
                        "--json",
                        "--out",
                        file("a.png"),
                        "--steps-strip",
                        file("s.png"));
        assertEquals("", run.err());
        assertEquals(1, run.out().lines().count());
        var json = new JsonMapper().readTree(run.out());
        assertEquals(file("a-1.png").toString(), json.get("files").get(0).get("path").asText());
        assertEquals("[8]", json.get("files").get(1).get("seeds").toString());
        assertEquals("strip", json.get("files").get(2).get("kind").asText());
        assertEquals("a", json.get("request").get("prompt").asText());
        assertEquals(3, json.get("used").get("steps").asInt());
        assertEquals(1.5, json.get("seconds").get("sample").asDouble());
        assertTrue(json.get("seconds").get("total").asDouble() < 60);
        assertEquals(
                "[\"x.json: an option is not known\",\"the prompt was cut\"]",
                json.get("warnings").toString());
    }

    @Test
    void quietPrintsNothingAndWarningsGoToStderr() {
        pipeline.warnings = List.of("the prompt was cut");
        pipeline.warningsOfLoading = List.of("x.json: an option is not known");
        Object[] arguments = {"a", "--model", "m", "--out", file("a.png")};
        assertEquals(
                "warning: x.json: an option is not known.\nwarning: the prompt was cut.\n",
                pipeline.sample(arguments).err());
        var quiet = Stream.concat(Stream.of(arguments), Stream.of("--quiet")).toArray();
        assertEquals(new Run(0, "", ""), pipeline.sample(quiet));
    }

    @Test
    void verbosePrintsTimingsAndStackTraces() {
        Object[] arguments = {"a", "--model", "m", "--out", file("a.png"), "--verbose"};
        assertTrue(pipeline.sample(arguments).err().contains("1.500 s  sample\n"));
        pipeline.failure = new PipelineException("no such thing");
        var run = pipeline.sample(arguments);
        assertTrue(run.err().startsWith("darkroom: no such thing\n"), run.err());
        assertTrue(run.err().contains("\tat dev.darkroom.cli.SampleCommand"), run.err());
    }

    @Test
    void aFailureIsASentenceAndLeavesNothing() throws IOException {
        pipeline.failure = new PipelineException("the prompt is empty");
        var run = pipeline.sample("", "--model", "m", "--out", file("a.png"));
        assertEquals(new Run(1, "", "darkroom: the prompt is empty\n"), run);
        assertEquals(Set.of(), files());
        assertTrue(pipeline.closed);
    }

    @Test
    void aCancelledRunLeavesNothing() throws IOException {
        pipeline.cancelled = true;
        var run =
                pipeline.sample(
                        "a",
                        "--model",
                        "m",
                        "--out",
                        file("a.png"),
                        "--trace",
                        file("t.safetensors"));
        assertEquals(new Run(1, "", "darkroom: cancelled, nothing was written.\n"), run);
        assertEquals(Set.of(), files());
    }

    @Test
    void withoutAModelItTakesItsOwn() {
        assertEquals(0, pipeline.sample("a", "--out", file("a.png")).exit());
        assertEquals(EmbeddedModel.STUDENT.folder(), pipeline.folder);
        assertNull(requireRequest().sampling().guidanceScale(), "the checkpoint says it");
        assertEquals(0, pipeline.sample("a", "--quality", "--out", file("a.png")).exit());
        assertEquals(EmbeddedModel.TEACHER.folder(), pipeline.folder);
        assertNull(requireRequest().sampling().guidanceScale());
        pipeline.sample("a", "--quality", "--guidance", 5, "--out", file("a.png"));
        assertEquals(5, requireRequest().sampling().guidanceScale());
    }

    @Test
    void qualityIsForItsOwnModelOnly() {
        var run = pipeline.sample("a", "--quality", "--model", "m", "--out", file("a.png"));
        assertEquals(2, run.exit());
        assertTrue(run.err().contains("leave out --quality or --model"), run.err());
    }

    private void assertUsageError(String expected, Object... arguments) throws IOException {
        var all =
                Stream.concat(
                                Stream.of("--model", "m", "--out", file("a.png")),
                                Stream.of(arguments))
                        .toArray();
        var run = pipeline.sample(all);
        assertEquals(2, run.exit(), run.err());
        assertTrue(run.err().contains(expected), run.err());
        assertFalse(run.err().contains("Exception"), run.err());
        assertTrue(run.err().lines().count() <= 3, run.err());
        assertEquals("", run.out());
        assertNull(pipeline.folder, "refused before anything is loaded");
        assertEquals(Set.of(), files());
    }

    /** What is no terminal gets the same bytes as without. */
    @Test
    void previewsBreakNoPipes() throws IOException {
        assumeFalse(Terminal.isStderr());
        for (String option : List.of("--steps=2", "--quiet", "--verbose")) {
            List<Object> arguments =
                    new ArrayList<>(List.of("a", option, "--seed", 1, "--out", file("a.png")));
            var without = pipeline.sample(arguments.toArray());
            int[] picture = pixels(file("a.png"));
            arguments.add("--preview");
            var with = pipeline.sample(arguments.toArray());
            assertEquals(0, with.exit(), with.err());
            assertEquals(withoutTimes(without.out()), withoutTimes(with.out()));
            assertEquals(withoutTimes(without.err()), withoutTimes(with.err()));
            assertArrayEquals(picture, pixels(file("a.png")));
        }
    }

    private static int[] pixels(Path file) throws IOException {
        BufferedImage image = ImageIO.read(file.toFile());
        return image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth());
    }

    private static String withoutTimes(String said) {
        return said.replaceAll("\\d+\\.\\d+ s", "");
    }

    @Test
    void badValuesAreRefusedBeforeLoading() throws IOException {
        assertUsageError("steps must be 1 to 1000, not 0", "a", "--steps", 0);
        assertUsageError("steps must be 1 to 1000, not 10000", "a", "--steps", 10_000);
        assertUsageError("'many' is not an int", "a", "--steps", "many");
        assertUsageError("not NaN", "a", "--guidance", "NaN");
        assertUsageError("not Infinity", "a", "--guidance", "Infinity");
        assertUsageError("not -1.0", "a", "--guidance", -1);
        assertUsageError("must be 0 to 1000, not 1.0E30", "a", "--guidance", "1e30");
        assertUsageError("must be 0 to 1000, not 1.0E308", "a", "--guidance", "1e308");
        assertUsageError("say what to draw: a prompt in quotes, or --class");
        assertUsageError("no sampler 'magic'; there are ddpm, ddim", "a", "--sampler", "magic");
        assertUsageError("no type 'int8'; there are float32, bfloat16", "a", "--dtype", "int8");
        assertUsageError("no device \"tpu\"; use cpu, cuda", "a", "--device", "tpu");
        assertUsageError("no device \"cuda:x\"", "a", "--device", "cuda:x");
        assertUsageError("width must be", "a", "--width", 0);
        assertUsageError("height must be", "a", "--height", 1 << 20);
        assertUsageError("batch must be", "a", "--batch", 0);
        assertUsageError("max tokens must be", "a", "--max-tokens", 0);
        assertUsageError("threads must be", "a", "--threads", -1);
        assertUsageError(
                "a seed is a whole number from -9223372036854775808 to 18446744073709551615,"
                        + " PyTorch's range, not 18446744073709551616",
                "a",
                "--seed",
                "18446744073709551616");
        assertUsageError("not -9223372036854775809", "a", "--seed", "-9223372036854775809");
        assertUsageError("not seven", "a", "--seed", "seven");
        assertUsageError("no mode 'some'; there are kept, exact", "a", "--weights-hash", "some");
        assertUsageError("a prompt or a class, not both", "a", "--class", "9");
        assertUsageError(
                "2 classes for a batch of 3", "--class", "9", "--class", "4", "--batch", 3);
        assertUsageError("must end in .png", "a", "--steps-strip", "s.gif");
        assertUsageError("two outputs", "a", "--trace", file("a.png"));
        assertUsageError("Put a text of several words in quotes", "a", "red", "heart");
        assertUsageError("Possible solutions: --steps", "a", "--step", 3);
    }

    @Test
    void unwritableOutputsAreRefusedBeforeLoading() {
        for (String option : List.of("--out", "--steps-strip", "--trace")) {
            var arguments = new ArrayList<Object>(List.of("a", "--model", "m"));
            arguments.addAll(List.of(option, file("missing/a.png")));
            if (!option.equals("--out")) {
                arguments.addAll(List.of("--out", file("a.png")));
            }
            var run = pipeline.sample(arguments.toArray());
            assertEquals(1, run.exit());
            assertTrue(run.err().contains("there is no folder " + file("missing")), run.err());
            assertNull(pipeline.folder, "refused before anything is loaded");
        }
    }

    /** Longer than file systems take, once the placeholders are filled in. */
    @Test
    void namesThatAreTooLongAreRefusedBeforeLoading() throws IOException {
        String name = "x".repeat(240);
        for (String option : List.of("--out", "--steps-strip", "--trace")) {
            var arguments =
                    new ArrayList<Object>(List.of("a", "--model", "m", "--seed", 123_456_789_012L));
            String ending = option.equals("--trace") ? "x".repeat(16) : "{seed}.png";
            arguments.addAll(List.of(option, file(name + ending)));
            if (!option.equals("--out")) {
                arguments.addAll(List.of("--out", file("a.png")));
            }
            var run = pipeline.sample(arguments.toArray());
            assertEquals(1, run.exit(), run.err());
            assertTrue(run.err().contains("choose a shorter or plainer one"), run.err());
            assertNull(pipeline.folder, "refused before anything is loaded");
            assertEquals(Set.of(), files());
        }
        // Of a batch, only names from the hundredth on are too long.
        String nearly = "x".repeat(249) + "{index}.png";
        var run = pipeline.sample("a", "--model", "m", "--batch", 1000, "--out", file(nearly));
        assertEquals(1, run.exit(), run.err());
        assertNull(pipeline.folder, "refused before anything is loaded");
        assertEquals(Set.of(), files());
    }

    @Test
    void theEmptyPromptIsAPrompt() {
        assertEquals(0, pipeline.sample("", "--model", "m", "--out", file("a.png")).exit());
        assertEquals("", requireRequest().inputs().prompt());
    }

    @Test
    void badLatentsAreRefusedBeforeLoading() throws IOException {
        Path start = file("start.safetensors");
        Files.write(start, new byte[] {1, 2, 3});
        var run = pipeline.sample("a", "--model", "m", "--latents", start, "--out", file("a.png"));
        assertEquals(1, run.exit());
        assertTrue(run.err().contains(start.toString()), run.err());
        try (var tensor = Tensor.copyOf(new float[] {1, 2}, 2)) {
            SafetensorsWriter.write(start, Map.of("other", tensor), Map.of());
        }
        run = pipeline.sample("a", "--model", "m", "--latents", start, "--out", file("a.png"));
        assertEquals(1, run.exit());
        assertTrue(run.err().contains("latents_init"), run.err());
        run = pipeline.sample("a", "--model", "m", "--latents", "no", "--out", file("a.png"));
        assertEquals(1, run.exit());
        assertTrue(run.err().contains("no"), run.err());
        assertNull(pipeline.folder);
    }
}
