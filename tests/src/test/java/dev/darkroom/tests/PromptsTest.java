package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.models.clip.LearnedTokens;
import dev.darkroom.models.diffusion.guidance.NamedGuidance;
import dev.darkroom.models.family.PromptSyntax;
import dev.darkroom.models.pipeline.Embedding;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.tokenizers.Tokenizers;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Weighted and long prompts, and learned embeddings, as in {@code oracle/prompts.py}. */
class PromptsTest {
    private static final Path EMBEDDINGS = Path.of("oracle", "embeddings");

    @TempDir Path folder;

    private static Pipeline load(String name, PipelineOptions options) throws IOException {
        return Pipeline.load(Path.of("cases", name, "model").toRealPath(), options);
    }

    private static PipelineOptions learned(String... embeddings) {
        PipelineOptions options = PipelineOptions.defaults();
        for (String embedding : embeddings) {
            options =
                    options.withEmbedding(
                            Embedding.parse(EMBEDDINGS.resolve(embedding).toString()));
        }
        return options;
    }

    private static SampleRequest.Builder request(String prompt) {
        return SampleRequest.builder().prompt(prompt).steps(1).width(16).height(16);
    }

    /** What a run traces of its prompts. */
    private static Map<String, Traced> encoded(Pipeline pipeline, SampleRequest request) {
        var traced = new HashMap<String, Traced>();
        pipeline.sample(
                request,
                new SampleMonitor() {
                    @Override
                    public boolean traces() {
                        return true;
                    }

                    @Override
                    public void traced(String name, Tensor value) {
                        if (name.contains("embeds") || name.contains("pooled")) {
                            traced.put(name, new Traced(value.shape(), value.toFloatArray()));
                        }
                    }
                });
        return traced;
    }

    private record Traced(Shape shape, float[] values) {
        double difference(Tensor expected) {
            float[] other = expected.toFloatArray();
            double largest = 0;
            for (int i = 0; i < other.length; i++) {
                largest = Math.max(largest, Math.abs(other[i] - values[i]));
            }
            return largest;
        }
    }

    @Test
    void statesAreThoseOfTheReference() throws IOException {
        JsonNode requests = new ObjectMapper().readTree(Path.of("oracle", "prompts.json").toFile());
        int compared = 0;
        double largest = 0;
        Path file = Path.of("oracle", "prompts.safetensors");
        try (var scope = TensorScope.open();
                var expected = Safetensors.open(file, LoadMode.READ);
                var sd =
                        load("sd15", learned("style.safetensors=my-Style", "concept.safetensors"));
                var xl = load("sdxl", learned("xl.safetensors"))) {
            for (var named : requests.properties()) {
                JsonNode call = named.getValue();
                boolean isWeighted = call.get("weighted").asBoolean();
                var request =
                        request(call.get("prompt").textValue())
                                .negativePrompt(call.get("negative_prompt").textValue())
                                .promptSyntax(
                                        isWeighted ? PromptSyntax.WEIGHTED : PromptSyntax.PLAIN)
                                .longPrompts(call.get("long").asBoolean());
                Pipeline pipeline = call.get("case").textValue().equals("sd15") ? sd : xl;
                var traced = encoded(pipeline, request.build());
                for (String name : expected.names()) {
                    int dot = name.lastIndexOf('.');
                    if (name.substring(0, dot).equals(named.getKey())) {
                        Traced mine = traced.get(name.substring(dot + 1));
                        Tensor theirs = expected.tensor(name);
                        assertEquals(theirs.shape(), mine.shape(), name);
                        double difference = mine.difference(theirs);
                        largest = Math.max(largest, difference);
                        assertTrue(difference <= 1e-5, name + " " + difference);
                        compared++;
                    }
                }
            }
            System.out.printf("prompts  %d tensors, largest difference %.1e%n", compared, largest);
            assertEquals(expected.names().size(), compared);
        }
    }

    @Test
    void bracketsAreTextAndLongTextsAreCutUnlessAskedFor() throws IOException {
        String brackets = "a (red:1.3) heart BREAK [x]";
        String many = "cats dogs ".repeat(50);
        try (var pipeline = load("sd15", PipelineOptions.defaults())) {
            byte[] plain = rgb(pipeline, request(brackets));
            assertFalse(Arrays.equals(plain, rgb(pipeline, request("a red heart BREAK x"))));
            var weighted = request("a (red:1) heart").promptSyntax(PromptSyntax.WEIGHTED);
            assertArrayEquals(rgb(pipeline, request("a red heart")), rgb(pipeline, weighted));
            var cut = pipeline.sample(request(many).build());
            assertTrue(
                    cut.warnings().toString().contains("; only the first 77 were used"),
                    cut.warnings().toString());
            var whole = request(many).longPrompts(true);
            assertEquals(List.of(), pipeline.sample(whole.build()).warnings());
            Shape shape = encoded(pipeline, whole.build()).get("prompt_embeds").shape();
            assertEquals(0, shape.size(1) % 77);
            assertTrue(shape.size(1) > 77);
        }
    }

    private static byte[] rgb(Pipeline pipeline, SampleRequest.Builder request) {
        return pipeline.sample(request.build()).pictures().getFirst().rgb();
    }

    @Test
    void allConditionsHaveTheChunksOfTheLongest() throws IOException {
        String many = "cats dogs ".repeat(50);
        for (String model : List.of("sd15", "sdxl")) {
            try (var pipeline = load(model, PipelineOptions.defaults())) {
                long live = Memory.liveTensors();
                var request =
                        request("a heart")
                                .negativePrompt(many)
                                .longPrompts(true)
                                .guidance(NamedGuidance.parse("perp-neg"));
                var traced = encoded(pipeline, request.build());
                Shape shape = traced.get("prompt_embeds").shape();
                assertTrue(shape.size(1) > 77, shape.toString());
                assertEquals(shape, traced.get("negative_embeds").shape());
                pipeline.sample(request.negativePrompt(null).prompt(many).build());
                assertEquals(live, Memory.liveTensors());
            }
        }
    }

    @Test
    void whatCanNotBeReadIsRefused() throws IOException {
        try (var pipeline = load("sd15", PipelineOptions.defaults())) {
            var weighted = request("a").promptSyntax(PromptSyntax.WEIGHTED);
            assertRefused(pipeline, weighted.prompt("a (b:1.2.3)"), "\"1.2.3\"");
            assertRefused(pipeline, weighted.prompt("a BREAK b"), "long prompts");
            assertRefused(pipeline, weighted.prompt("a [b:c:3]"), "[b:c:3]");
            weighted.prompt("a").negativePrompt("(b:1000)");
            assertRefused(pipeline, weighted, "would weigh 1000.0");
            String endless = "cats dogs ".repeat(999);
            assertRefused(pipeline, request(endless).longPrompts(true), "at most 64 are read");
        }
        var both = request("a").longPrompts(true).maxTokens(20);
        var e = assertThrows(IllegalArgumentException.class, both::build);
        assertTrue(String.valueOf(e.getMessage()).contains("leave out max tokens"));
        try (var pipeline = load("pixart_alpha", PipelineOptions.defaults())) {
            assertRefused(pipeline, request("a").longPrompts(true), "are for CLIP");
        }
        try (var pipeline = load("dit", PipelineOptions.defaults())) {
            var classes =
                    SampleRequest.builder()
                            .classes(List.of("1"))
                            .promptSyntax(PromptSyntax.WEIGHTED);
            assertRefused(pipeline, classes, "are for CLIP");
        }
    }

    private static void assertRefused(
            Pipeline pipeline, SampleRequest.Builder request, String message) {
        var e = assertThrows(PipelineException.class, () -> pipeline.sample(request.build()));
        assertTrue(String.valueOf(e.getMessage()).contains(message), e.getMessage());
    }

    // ---- Learned embeddings ----

    @Test
    void idsAreThoseOfTheReference() throws IOException {
        JsonNode requests = new ObjectMapper().readTree(Path.of("oracle", "prompts.json").toFile());
        Path tokenizers = Path.of("cases", "sd15", "model", "tokenizer").toRealPath();
        for (String reader : List.of("ids", "fast_ids")) {
            boolean isFast = reader.equals("fast_ids");
            var tokenizer =
                    Tokenizers.load(tokenizers, isFast ? "CLIPTokenizerFast" : "CLIPTokenizer")
                            .withTokens(List.of("my-Style", "my-Style_1", "my-Style_2"))
                            .withTokens(List.of("<Cat-Toy>"));
            var learned = LearnedTokens.startingAt(600, 8).with(new float[24]).with(new float[8]);
            assertEquals(604, tokenizer.size());
            for (String request : List.of("sd15.learned", "sd15.learned_too_long")) {
                JsonNode call = requests.get(request);
                var expected = new ArrayList<Integer>();
                call.get(reader).forEach(id -> expected.add(id.asInt()));
                String prompt = call.get("prompt").textValue();
                int[] ids = tokenizer.content(prompt);
                ids = isFast ? ids : expanded(learned, ids);
                assertEquals(expected, Arrays.stream(ids).boxed().toList(), prompt);
            }
        }
    }

    /** Ids with all of a learned token's in the place of its first. */
    private static int[] expanded(LearnedTokens learned, int[] ids) {
        return Arrays.stream(ids)
                .flatMap(id -> IntStream.range(id, id + learned.count(id)))
                .toArray();
    }

    @Test
    void embeddingsAreDescribed() throws IOException {
        try (var pipeline = load("sd15", learned("style.safetensors=my-Style"))) {
            var described = (List<?>) pipeline.describe().get("embeddings");
            assertEquals(1, described.size());
            String text = described.toString();
            assertTrue(text.startsWith("[{token=my-Style, file=style.safetensors, sha256="), text);
        }
        try (var pipeline = load("sd15", PipelineOptions.defaults())) {
            assertFalse(pipeline.describe().containsKey("embeddings"));
        }
    }

    @Test
    void aFolderIsLookedInto() throws IOException {
        Path usual = folder.resolve("learned_embeds.safetensors");
        Files.copy(EMBEDDINGS.resolve("concept.safetensors"), usual);
        Files.copy(EMBEDDINGS.resolve("style.safetensors"), folder.resolve("other.safetensors"));
        var options =
                PipelineOptions.defaults().withEmbedding(new Embedding(folder.toString(), null));
        try (var pipeline = load("sd15", options)) {
            assertTrue(pipeline.describe().get("embeddings").toString().contains("<Cat-Toy>"));
        }
        Files.delete(usual);
        try (var pipeline = load("sd15", options)) {
            assertTrue(pipeline.describe().get("embeddings").toString().contains("token=other"));
        }
    }

    @Test
    void embeddingsThatDoNotFitAreRefused() throws IOException {
        assertNotLoaded(
                "sd15", "xl.safetensors", "is for two, the checkpoint's text encoder is one");
        assertNotLoaded("sdxl", "style.safetensors", "is for one text encoder");
        assertNotLoaded("pixart_alpha", "style.safetensors", "CLIP");
        assertNotLoaded("dit", "style.safetensors", "CLIP");
        assertNotLoaded("sd15", "style.safetensors=<|endoftext|>", "already");
        assertNotLoaded("sd15", "none.safetensors", "there is no file");
        assertNotLoaded("sd15", "old.pt", "docs/prompts.md");
        assertNotLoaded("sd15", write("empty", Map.of()), "holds 0");
        try (var scope = TensorScope.open()) {
            assertNotLoaded(
                    "sd15",
                    write("wide", one(zeros(2, 12))),
                    "12 wide, those of the text encoder 8");
            assertNotLoaded(
                    "sd15",
                    write("many", one(zeros(76, 8))),
                    "76 vectors, the text encoder reads 75");
            assertNotLoaded("sd15", write("rank", one(zeros(2, 2, 8))), "[2, 2, 8]");
            assertNotLoaded("sd15", write("none", one(zeros(0, 8))), "[0, 8]");
            assertNotLoaded(
                    "sd15",
                    write(
                            "nan",
                            one(Tensor.full(Shape.of(8), Double.NaN, DType.FLOAT32, Device.CPU))),
                    "finite");
            assertNotLoaded(
                    "sd15",
                    write("int", one(zeros(8).to(DType.INT64))),
                    "finite floating-point numbers, and is");
            var three = new LinkedHashMap<String, Tensor>();
            for (String name : List.of("a", "b", "c")) {
                three.put(name, zeros(8));
            }
            assertNotLoaded("sd15", write("three", three), "holds 3: a, b, c");
            String style = write("style", one(zeros(8)));
            assertNotLoaded("sd15", style + "=a", "already", style + "=a");
        }
    }

    private static Tensor zeros(long... shape) {
        return Tensor.zeros(Shape.of(shape), DType.FLOAT32, Device.CPU);
    }

    private static Map<String, Tensor> one(Tensor vectors) {
        return Map.of("emb_params", vectors);
    }

    private String write(String name, Map<String, Tensor> tensors) throws IOException {
        Path file = folder.resolve(name + ".safetensors");
        SafetensorsWriter.write(file, tensors, Map.of());
        return file.toString();
    }

    private static void assertNotLoaded(
            String model, String embedding, String message, String... before) throws IOException {
        PipelineOptions options = PipelineOptions.defaults();
        for (String each : before) {
            options = options.withEmbedding(Embedding.parse(EMBEDDINGS.resolve(each).toString()));
        }
        PipelineOptions all =
                options.withEmbedding(Embedding.parse(EMBEDDINGS.resolve(embedding).toString()));
        long live = Memory.liveTensors();
        var e = assertThrows(PipelineException.class, () -> load(model, all));
        assertTrue(String.valueOf(e.getMessage()).contains(message), e.getMessage());
        assertEquals(live, Memory.liveTensors());
    }
}
