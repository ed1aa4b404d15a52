package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.cli.Main;
import dev.darkroom.hub.HubException;
import dev.darkroom.hub.HubOptions;
import dev.darkroom.models.checkpoint.LoadListener;
import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.Memory;
import dev.darkroom.testing.Child;
import dev.darkroom.testing.FakeHub;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

import javax.imageio.ImageIO;

/** A model by its name on a hub is the model of its folder, in Java and at the shell. */
class ModelNamesTest {
    private static final String ID = "org/tiny";
    private static final String WEIGHTS = "diffusion_pytorch_model.safetensors";

    @TempDir private Path folder;
    private FakeHub server;
    private FakeHub.Model model;

    @BeforeEach
    void serve() throws IOException {
        server = new FakeHub();
        model = server.model(ID);
        Path files = Cases.named("pixart_alpha").resolve("model");
        try (Stream<Path> all = Files.walk(files)) {
            for (Path file : all.filter(Files::isRegularFile).toList()) {
                model.add(
                        files.relativize(file).toString().replace('\\', '/'),
                        Files.readAllBytes(file));
            }
        }
        // Nothing uses these two, and nothing of them is downloaded.
        String index = new String(model.bytes("model_index.json"));
        model.add(
                "model_index.json",
                index.replaceFirst(
                        "\\{",
                        "{\"safety_checker\":[\"stable_diffusion\",\"Checker\"],"
                                + "\"feature_extractor\":[\"transformers\",\"Processor\"],"));
        model.add("safety_checker/config.json", "{}");
        model.add("safety_checker/model.safetensors", "none");
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    private Path cache() {
        return folder.resolve("cache");
    }

    private PipelineOptions options() throws IOException {
        return PipelineOptions.defaults()
                .withHub(
                        HubOptions.fromEnvironment(Map.of(), folder)
                                .withEndpoint(server.endpoint())
                                .withCache(cache())
                                .withTimeout(Duration.ofSeconds(10)));
    }

    private static HubOptions offline(PipelineOptions options) {
        return options.hub().withOffline(true).withEndpoint(URI.create("http://127.0.0.1:9"));
    }

    private static SampleRequest.Builder request() {
        return SampleRequest.builder()
                .prompt("a red heart")
                .steps(2)
                .seed(3)
                .width(16)
                .height(16)
                .maxTokens(24)
                .binning(false);
    }

    private static byte[] picture(Pipeline pipeline) {
        return pipeline.sample(request().build()).pictures().getFirst().rgb();
    }

    /** What loading told, in lines. */
    private static final class Record implements LoadListener {
        final List<String> lines = new ArrayList<>();
        final List<Loading> loaded = new ArrayList<>();
        String cancelAt = "never";

        @Override
        public void starts(List<dev.darkroom.hub.RemoteFile> files, long bytes) {
            lines.add("downloads " + (files.isEmpty() ? "nothing" : "some"));
        }

        @Override
        public void progresses(Progress progress) {
            if (progress.file().path().startsWith(cancelAt)) {
                cancelAt = "";
            }
        }

        @Override
        public void loads(Loading loading) {
            lines.add("loads " + loading.part());
        }

        @Override
        public void loaded(Loading loading) {
            loaded.add(loading);
            if (cancelAt.equals("loaded " + loading.part())) {
                cancelAt = "";
            }
        }

        @Override
        public boolean isCancelled() {
            return cancelAt.isEmpty();
        }
    }

    @Test
    void aNameGivesThePictureOfTheFolder() throws IOException {
        byte[] expected;
        Map<String, Object> described;
        try (var pipeline = Pipeline.load(Cases.model("pixart_alpha"))) {
            expected = picture(pipeline);
            described = pipeline.describe();
        }
        var listener = new Record();
        var options = options().withStrict(true).withListener(listener);
        try (var pipeline = Pipeline.load(ID, options)) {
            assertArrayEquals(expected, picture(pipeline));
            assertEquals(List.of(), pipeline.warnings());
            assertEquals(ID, pipeline.describe().get("model"));
            assertEquals(model.commit, pipeline.describe().get("commit"));
            assertEquals(described.get("pipeline"), pipeline.describe().get("pipeline"));
            assertTrue(
                    pipeline.hashWeights().containsKey("vae/" + WEIGHTS), "by names in the folder");
        }
        assertEquals(
                List.of("downloads some", "loads text_encoder", "loads transformer", "loads vae"),
                listener.lines);
        var last = listener.loaded.getLast();
        assertEquals(last.totalSize(), last.totalBytes());
        assertEquals(
                last.totalSize(),
                listener.loaded.stream().mapToLong(LoadListener.Loading::bytes).sum());
        assertEquals(List.of(), server.asked("safety_checker"));

        server.requests.clear();
        listener.lines.clear();
        try (var pipeline = Pipeline.load(ID, options)) {
            assertArrayEquals(expected, picture(pipeline));
        }
        assertEquals(List.of(), server.requests, "a model of the cache is taken as it is");
        assertEquals(3, listener.lines.size());
        try (var pipeline =
                Pipeline.load(ID + "@" + model.commit, options().withHub(offline(options())))) {
            assertEquals(ID + "@" + model.commit, pipeline.describe().get("model"));
        }
    }

    @Test
    void aVariantIsNamedOnceOrTwiceTheSame() throws IOException {
        String fp16 = "vae/diffusion_pytorch_model.fp16.safetensors";
        model.add(fp16, model.bytes("vae/" + WEIGHTS));
        for (var named : List.of(ID + ":fp16", ID)) {
            try (var pipeline =
                    Pipeline.load(named, options().withLogging(false).withVariant("fp16"))) {
                assertTrue(pipeline.hashWeights().containsKey(fp16), named);
                assertEquals(ID + ":fp16", pipeline.describe().get("model"));
            }
        }
        server.requests.clear();
        try (var pipeline = Pipeline.load(ID + ":fp16", options().withLogging(false))) {
            assertTrue(pipeline.hashWeights().containsKey(fp16));
        }
        assertEquals(
                List.of(), server.requests, "the hub has said already which parts have no variant");
        var two =
                assertThrows(
                        PipelineException.class,
                        () -> Pipeline.load(ID + ":fp16", options().withVariant("bf16")));
        assertEquals(
                "org/tiny:fp16 names the variant fp16, and the options name bf16; leave out one of"
                        + " them",
                two.getMessage());
    }

    @Test
    void whatIsNowhereIsSaid() throws IOException {
        var none = options().withHub(offline(options()));
        var error = assertThrows(PipelineException.class, () -> Pipeline.load(ID, none));
        assertTrue(
                error.getMessage()
                        .startsWith(
                                "there is no folder org/tiny here, and org/tiny is not in the"
                                        + " cache "),
                error.getMessage());
        error = assertThrows(PipelineException.class, () -> Pipeline.load("org/none", options()));
        assertTrue(
                error.getMessage().startsWith("there is no folder org/none here, and there is no"),
                error.getMessage());
        assertTrue(error.getCause().getCause() instanceof HubException);
        error = assertThrows(PipelineException.class, () -> Pipeline.load("./none", options()));
        assertTrue(
                error.getMessage().startsWith("there is no model folder ./none"),
                error.getMessage());
    }

    @Test
    void cancellingKeepsWhatCame() throws IOException {
        long live = Memory.liveTensors();
        var listener = new Record();
        listener.cancelAt = "transformer/diff";
        var options = options().withListener(listener);
        var cancelled = assertThrows(CancelledException.class, () -> Pipeline.load(ID, options));
        assertTrue(cancelled.getMessage().contains("is kept"), cancelled.getMessage());
        Thread.currentThread().interrupt();
        assertThrows(CancelledException.class, () -> Pipeline.load(ID, options()));
        assertTrue(Thread.interrupted());
        listener.cancelAt = "loaded text_encoder";
        cancelled = assertThrows(CancelledException.class, () -> Pipeline.load(ID, options));
        assertEquals("loading was cancelled before transformer", cancelled.getMessage());
        assertEquals(live, Memory.liveTensors());
    }

    // ---- At the shell ----

    private record Result(int code, String out, String err) {}

    private Result darkroom(String... arguments) {
        var out = new StringWriter();
        var err = new StringWriter();
        var all = new ArrayList<>(List.of(arguments));
        all.addAll(List.of("--cache", cache().toString()));
        if (!all.contains("--offline")) {
            all.addAll(List.of("--endpoint", server.endpoint().toString()));
        }
        int code =
                Main.run(
                        new PrintWriter(out, true),
                        new PrintWriter(err, true),
                        all.toArray(String[]::new));
        return new Result(code, out.toString(), err.toString());
    }

    private Result sample(Path picture, String... arguments) {
        var all = new ArrayList<>(List.of("sample", "a red heart", "--model", ID));
        all.addAll(List.of("--steps", "1", "--seed", "3", "--width", "16", "--height", "16"));
        all.addAll(List.of("--no-binning", "--max-tokens", "24", "--out", picture.toString()));
        all.addAll(List.of(arguments));
        return darkroom(all.toArray(String[]::new));
    }

    @Test
    void commandsTakeNames() throws IOException {
        Path picture = folder.resolve("picture.png");
        var refused = sample(picture, "--offline");
        assertEquals(1, refused.code());
        assertTrue(refused.err().contains("and downloading is switched off"), refused.err());

        var inspected = darkroom("inspect", ID, "--json");
        assertEquals(0, inspected.code(), inspected.err());
        long read =
                server.asked("/resolve/").stream()
                        .filter(each -> each.path().endsWith(".safetensors"))
                        .filter(each -> each.header("range").isEmpty())
                        .count();
        assertEquals(0, read, "headers alone are read");

        var sampled = sample(picture);
        assertEquals(0, sampled.code(), sampled.err());
        assertTrue(sampled.err().startsWith("downloading "), sampled.err());
        assertEquals(1, sampled.err().lines().count(), sampled.err());
        var parameters = text(picture);
        assertTrue(parameters.contains("Model: org/tiny,"), parameters);
        assertTrue(parameters.contains("\"commit\":\"" + model.commit + "\""), parameters);
        assertEquals(16, ImageIO.read(picture.toFile()).getWidth());
        byte[] first = Files.readAllBytes(picture);
        var again = sample(picture, "--offline");
        assertEquals("", again.err());
        assertArrayEquals(first, Files.readAllBytes(picture));

        var json = new JsonMapper();
        var cached = json.readTree(darkroom("inspect", ID, "--json").out());
        var remote = json.readTree(inspected.out());
        for (String same : List.of("tensors", "bytes", "bytes_by_dtype")) {
            assertEquals(cached.get(same), remote.get(same));
        }
        assertEquals(cached.get("parts").size(), remote.get("parts").size());
        assertFalse(remote.get("parts").isEmpty());
        assertEquals(ID, remote.get("path").asText());
    }

    @Test
    void aPlanReadsHeadersAlone() throws IOException {
        String[] size = {"--size", "16x16", "--steps", "2", "--json"};
        var json = new JsonMapper();
        var there = json.readTree(plan(Cases.model("pixart_alpha"), size).out());
        var remote = plan(ID, size);
        assertEquals(0, remote.code(), remote.err());
        assertEquals(ID, json.readTree(remote.out()).get("model").asText());
        assertEquals(there.get("parts"), json.readTree(remote.out()).get("parts"));
        assertEquals(2, there.get("run").get("evaluations").asInt());
        for (var asked : server.asked("/resolve/")) {
            assertTrue(
                    !asked.path().endsWith(".safetensors") || !asked.header("range").isEmpty(),
                    asked.path());
        }
        try (var files = Files.walk(cache())) {
            assertEquals(
                    List.of(),
                    files.filter(each -> each.toString().endsWith(".safetensors")).toList());
        }

        try (var pipeline = Pipeline.load(ID, options())) {
            assertEquals(List.of(), pipeline.warnings());
        }
        var cached = plan(ID, "--size", "16x16", "--steps", "2", "--offline");
        assertEquals(0, cached.code(), cached.err());
        assertTrue(
                cached.out().startsWith("org/tiny: PixArtAlphaPipeline, of the family PixArt"),
                cached.out());
        assertTrue(cached.out().contains("\nIt fits: "), cached.out());

        for (var wrong :
                Map.of(
                                "16", "a size is WIDTHxHEIGHT in pixels, such as 1024x768",
                                "17x16", "multiples of 4")
                        .entrySet()) {
            var refused = plan(ID, "--size", wrong.getKey());
            assertNotEquals(0, refused.code());
            assertTrue(refused.err().contains(wrong.getValue()), refused.err());
        }
        var file = plan(Cases.model("pixart_alpha") + "/vae/" + WEIGHTS);
        assertEquals(1, file.code());
        assertTrue(
                file.err().contains("a single file of weights that no family loads"), file.err());
    }

    private Result plan(String model, String... arguments) {
        var all = new ArrayList<>(List.of("plan", model, "--no-binning", "--max-tokens", "24"));
        all.addAll(List.of(arguments));
        return darkroom(all.toArray(String[]::new));
    }

    /** Ctrl-C, as the signal of a polite kill, which the JVM treats in the same way. */
    @Test
    void anInterruptLeavesWhatCanBeGoneOnFrom() throws Exception {
        String weights = "transformer/" + WEIGHTS;
        String hash = FakeHub.hash(model, weights);
        server.change =
                (request, reply) -> request.path().contains(hash) ? reply.slowly(2_000, 50) : reply;
        Path picture = folder.resolve("picture.png");
        var arguments = new ArrayList<>(List.of("sample", "a", "--model", ID, "--seed", "1"));
        arguments.addAll(List.of("--cache", cache().toString(), "--out", picture.toString()));
        arguments.addAll(List.of("--endpoint", server.endpoint().toString()));
        var process = Child.jvm(List.of(), Main.class.getName(), arguments).start();
        Path begun = cache().resolve("models--org--tiny/blobs/" + hash + ".incomplete");
        while (process.isAlive() && (!Files.exists(begun) || Files.size(begun) < 10_000)) {
            Thread.sleep(10);
        }
        assertTrue(process.toHandle().destroy());
        String said = process.inputReader().lines().collect(Collectors.joining("\n"));
        assertEquals(143, process.waitFor(), said); // 128 and the signal's number
        assertTrue(said.contains("darkroom: the download was cancelled; what came so"), said);
        assertTrue(Files.size(begun) >= 10_000);
        assertFalse(Files.exists(picture));
        server.requests.clear();
        server.change = (request, reply) -> reply;
        try (var pipeline = Pipeline.load(ID, options())) {
            assertEquals(List.of(), pipeline.warnings());
        }
        assertTrue(server.asked(hash).getFirst().header("range").matches("bytes=[1-9]\\d+-"));
    }

    /** The texts of a PNG as they stand in the file. */
    private static String text(Path picture) throws IOException {
        return new String(Files.readAllBytes(picture), java.nio.charset.StandardCharsets.UTF_8);
    }
}
