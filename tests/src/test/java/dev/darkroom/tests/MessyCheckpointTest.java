package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * Checkpoints as public hubs really have them: with what conversions and training left in the
 * files, old names and classes, sparse configs, variants, links. They make the picture of the clean
 * one.
 */
class MessyCheckpointTest {
    private static final JsonMapper JSON =
            JsonMapper.builder()
                    .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
                    .disable(JsonWriteFeature.WRITE_NAN_AS_STRINGS)
                    .build();
    private static final String TRANSFORMER = "transformer/diffusion_pytorch_model";
    private static final String VAE = "vae/diffusion_pytorch_model";
    private static final String TEXT = "text_encoder/model";

    private static byte[] clean;

    @TempDir Path folder;

    @BeforeAll
    static void sampleTheCleanOne() {
        try (var pipeline =
                Pipeline.load(
                        Cases.named("pixart_alpha").resolve("model"), PipelineOptions.defaults())) {
            assertEquals(List.of(), pipeline.warnings());
            clean = picture(pipeline);
        }
    }

    @BeforeEach
    void copy() throws IOException {
        Path model = Cases.named("pixart_alpha").resolve("model");
        try (Stream<Path> files = Files.walk(model)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = folder.resolve(model.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                Files.copy(file, copy);
            }
        }
    }

    private static byte[] picture(Pipeline pipeline) {
        var request =
                SampleRequest.builder()
                        .prompt("a red heart")
                        .steps(2)
                        .seed(3)
                        .width(16)
                        .height(16)
                        .maxTokens(24)
                        .binning(false)
                        .build();
        return pipeline.sample(request).pictures().getFirst().rgb();
    }

    /** Samples; the warnings of loading. */
    private List<String> assertMakesTheCleanPicture(PipelineOptions options) {
        long before = Memory.liveTensors();
        List<String> warnings;
        try (var pipeline = Pipeline.load(folder, options.withLogging(false))) {
            assertArrayEquals(clean, picture(pipeline));
            warnings = pipeline.warnings();
        }
        assertEquals(before, Memory.liveTensors());
        return warnings;
    }

    private String refusal(PipelineOptions options) {
        long before = Memory.liveTensors();
        var error = assertThrows(PipelineException.class, () -> Pipeline.load(folder, options));
        assertEquals(before, Memory.liveTensors());
        return error.getMessage();
    }

    /** Replaces a part's weights by themselves with changes. */
    private void rewrite(String stem, Consumer<Map<String, Tensor>> change) throws IOException {
        Path file = folder.resolve(stem + ".safetensors");
        try (var scope = TensorScope.open()) {
            var tensors = new LinkedHashMap<String, Tensor>();
            try (var stored = Safetensors.open(file, LoadMode.READ)) {
                for (String name : stored.names()) {
                    tensors.put(name, stored.tensor(name));
                }
            }
            change.accept(tensors);
            SafetensorsWriter.write(file, tensors, Map.of("format", "pt"));
        }
    }

    private static Tensor some(long... sizes) {
        return Tensor.ones(DType.FLOAT32, sizes);
    }

    private void json(String file, Consumer<ObjectNode> change) throws IOException {
        Path path = folder.resolve(file);
        var object = JSON.readValue(path.toFile(), ObjectNode.class);
        change.accept(object);
        JSON.writeValue(path.toFile(), object);
    }

    /** Adds a tensor of two 4-bit numbers, a type that libtorch has no tensors of. */
    private void addFourBits(String stem, String name) throws IOException {
        Path file = folder.resolve(stem + ".safetensors");
        var bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        int length = (int) bytes.getLong();
        var header = JSON.readValue(bytes.array(), Long.BYTES, length, ObjectNode.class);
        int data = bytes.capacity() - Long.BYTES - length;
        var tensor = header.putObject(name).put("dtype", "F4");
        tensor.putArray("shape").add(2);
        tensor.putArray("data_offsets").add(data).add(data + 1);
        byte[] text = header.toString().getBytes(StandardCharsets.UTF_8);
        var out =
                ByteBuffer.allocate(Long.BYTES + text.length + data + 1)
                        .order(ByteOrder.LITTLE_ENDIAN);
        out.putLong(text.length).put(text).put(bytes.array(), Long.BYTES + length, data);
        Files.write(file, out.array());
    }

    /** Users of other programs meet this key in the published PixArt files. */
    @Test
    void theEmptyCaptionOfTrainingIsIgnored() throws IOException {
        rewrite(TRANSFORMER, t -> t.put("caption_projection.y_embedding", some(120, 32)));
        assertEquals(
                List.of(), assertMakesTheCleanPicture(PipelineOptions.defaults().withStrict(true)));
    }

    @Test
    void leftoversAndOldNamesPassSilently() throws IOException {
        rewrite(
                TRANSFORMER,
                tensors -> {
                    tensors.put("caption_projection.y_embedding", some(120, 32));
                    tensors.put("pos_embed.pos_embed", some(1, 4096, 48));
                    tensors.put("scaled_fp8", Tensor.zeros(DType.FLOAT8_E4M3FN, 2));
                    tensors.put("empty", some(0, 4));
                });
        rewrite(
                TEXT,
                tensors -> {
                    Tensor words = tensors.get("shared.weight");
                    tensors.put("encoder.embed_tokens.weight", words.copy());
                    tensors.put("decoder.block.0.layer.0.SelfAttention.q.weight", some(3, 3));
                    tensors.put("lm_head.weight", some(3, 3));
                });
        rewrite(
                VAE,
                tensors -> {
                    for (String side : List.of("encoder", "decoder")) {
                        String at = side + ".mid_block.attentions.0.";
                        rename(tensors, at + "to_q", at + "query");
                        rename(tensors, at + "to_k", at + "key");
                        rename(tensors, at + "to_v", at + "value");
                        rename(tensors, at + "to_out.0", at + "proj_attn");
                    }
                    tensors.put("loss.logvar", some(1));
                    tensors.put("logvar", some(1));
                });
        json(
                "model_index.json",
                json -> {
                    json.put("_name_or_path", "somewhere/else");
                    json.putArray("safety_checker").addNull().addNull();
                    json.withArray("transformer").set(1, "Transformer2DModel");
                });
        json(
                "transformer/config.json",
                json -> {
                    json.put("_class_name", "Transformer2DModel");
                    json.put("double_self_attention", false);
                    json.putNull("num_vector_embeds");
                    json.put("only_cross_attention", false);
                    json.put("use_linear_projection", false);
                    // defaults, and what sample_size decides
                    json.remove(List.of("norm_eps", "attention_bias", "in_channels", "patch_size"));
                    json.putNull("use_additional_conditions");
                });
        json(
                "text_encoder/config.json",
                json -> {
                    json.remove("feed_forward_proj");
                    json.put("dense_act_fn", "gelu_pytorch_tanh");
                });
        json(
                "vae/config.json",
                json -> json.remove(List.of("scaling_factor", "use_quant_conv", "force_upcast")));
        // An older tokenizer's files: no added_tokens_decoder, so that these two are read.
        json("tokenizer/tokenizer_config.json", json -> json.remove("added_tokens_decoder"));
        Files.writeString(folder.resolve("tokenizer/added_tokens.json"), "{\"<unused>\": 256}");
        rewrite(TEXT, MessyCheckpointTest::withARowMore);
        json("text_encoder/config.json", json -> json.put("vocab_size", 257));
        assertEquals(
                List.of(), assertMakesTheCleanPicture(PipelineOptions.defaults().withStrict(true)));
    }

    private static void rename(Map<String, Tensor> tensors, String before, String after) {
        Tensor weight = tensors.remove(before + ".weight");
        tensors.put(after + ".weight", weight.unsqueeze(-1).unsqueeze(-1).copy());
        tensors.put(after + ".bias", tensors.remove(before + ".bias"));
    }

    private static void withARowMore(Map<String, Tensor> tensors) {
        for (String name : List.of("shared.weight", "encoder.embed_tokens.weight")) {
            Tensor words = tensors.get(name);
            tensors.put(name, Ops.cat(0, List.of(words, some(1, words.size(1)))));
        }
    }

    @Test
    void whatIsNotKnownIsAWarningAndStrictlyAnError() throws IOException {
        rewrite(TRANSFORMER, tensors -> tensors.put("rotary_sauce.weight", some(3)));
        addFourBits(TRANSFORMER, "rotary_sauce.quantized");
        json("vae/config.json", json -> json.put("sauce", "hot").putNull("none"));
        json("scheduler/scheduler_config.json", json -> json.put("sauce", 3));
        json(
                "model_index.json",
                json -> {
                    json.put("flavour", "sweet");
                    json.putArray("taster").add("library").add("Taster");
                });
        var warnings = assertMakesTheCleanPicture(PipelineOptions.defaults());
        String all = String.join("\n", warnings);
        assertEquals(5, warnings.size(), all);
        for (String expected :
                List.of(
                        "model_index.json: an option that is not known and without effect: flavour",
                        "scheduler_config.json: an option that is not known and without effect:"
                                + " sauce (3)",
                        TRANSFORMER
                                + ".safetensors has more than PixArtTransformer needs; 2 ignored:"
                                + " rotary_sauce",
                        "config.json: an option that is not known and without effect: sauce"
                                + " (\"hot\")",
                        "PixArtAlphaPipeline has no use for the part taster (Taster)")) {
            assertTrue(all.contains(expected), all);
        }
        String strict = refusal(PipelineOptions.defaults().withStrict(true));
        assertTrue(strict.contains("option not supported: flavour"), strict);
        json("model_index.json", json -> json.remove("flavour"));
        json("scheduler/scheduler_config.json", json -> json.remove("sauce"));
        strict = refusal(PipelineOptions.defaults().withStrict(true));
        assertTrue(strict.contains("2 unexpected: rotary_sauce"), strict);
    }

    @Test
    void aNeededTensorOfAnUnsupportedTypeIsAnError() throws IOException {
        rewrite(TRANSFORMER, tensors -> tensors.remove("proj_out.bias"));
        addFourBits(TRANSFORMER, "proj_out.bias");
        String message = refusal(PipelineOptions.defaults());
        assertTrue(message.contains("proj_out.bias (F4[2] instead of [32])"), message);
    }

    // ---- Variants ----

    private void toVariant(String stem, String variant) throws IOException {
        Path file = folder.resolve(stem + ".safetensors");
        Files.move(file, folder.resolve(stem + "." + variant + ".safetensors"));
    }

    @Test
    void aVariantIsLoadedWhereItIsAsked() throws IOException {
        toVariant(TRANSFORMER, "fp16");
        toVariant(TEXT, "fp16");
        String message = refusal(PipelineOptions.defaults());
        assertTrue(message.contains("only the variant fp16; give --variant fp16"), message);
        var warnings = assertMakesTheCleanPicture(PipelineOptions.defaults().withVariant("fp16"));
        assertEquals(
                List.of(
                        folder.resolve("vae")
                                + " does not have the variant fp16, so its plain weights were"
                                + " loaded"),
                warnings);
        message = refusal(PipelineOptions.defaults().withVariant("bf16"));
        assertTrue(message.contains("no part has the variant bf16; there is fp16"), message);
    }

    @Test
    void shardsHaveVariantsInBothSpellings() throws IOException {
        shards(
                TRANSFORMER,
                "%s.fp16-0000%d-of-00002.safetensors",
                "%s.safetensors.index.fp16.json");
        shards(TEXT, "%s-0000%d-of-00002.fp16.safetensors", "%s.safetensors.fp16.index.json");
        toVariant(VAE, "fp16");
        assertEquals(
                List.of(),
                assertMakesTheCleanPicture(PipelineOptions.defaults().withVariant("fp16")));
        String message = refusal(PipelineOptions.defaults());
        assertTrue(message.contains("only the variant fp16; give --variant fp16"), message);
    }

    /** Splits a part's weights in two. */
    private void shards(String stem, String shard, String index) throws IOException {
        Path whole = folder.resolve(stem + ".safetensors");
        String name = whole.getFileName().toString().replace(".safetensors", "");
        var json = JSON.createObjectNode();
        var map = json.putObject("weight_map");
        try (var scope = TensorScope.open();
                var stored = Safetensors.open(whole, LoadMode.READ)) {
            var halves =
                    List.of(
                            new LinkedHashMap<String, Tensor>(),
                            new LinkedHashMap<String, Tensor>());
            for (String tensor : stored.names()) {
                int half = halves.get(0).size() <= halves.get(1).size() ? 0 : 1;
                halves.get(half).put(tensor, stored.tensor(tensor));
                map.put(tensor, shard.formatted(name, half + 1));
            }
            for (int half = 0; half < 2; half++) {
                Path file = whole.resolveSibling(shard.formatted(name, half + 1));
                SafetensorsWriter.write(file, halves.get(half), Map.of());
            }
        }
        Files.delete(whole);
        JSON.writeValue(whole.resolveSibling(index.formatted(name)).toFile(), json);
    }

    // ---- Hub caches ----

    /** Moves every file into {@code blobs}, and leaves links to them. */
    private void toCache() throws IOException {
        Path hub = folder.resolve("hub");
        Path snapshot = hub.resolve("snapshots/0123");
        Path blobs = Files.createDirectories(hub.resolve("blobs"));
        try (Stream<Path> files = Files.walk(folder)) {
            int number = 0;
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path blob = blobs.resolve("blob" + number++);
                Path link = snapshot.resolve(folder.relativize(file).toString());
                Files.move(file, blob);
                Files.createDirectories(link.getParent());
                Files.createSymbolicLink(link, link.getParent().relativize(blob));
            }
        }
        folder = snapshot;
    }

    @Test
    void aCacheOfLinksIsLoaded() throws IOException {
        toCache();
        assertEquals(List.of(), assertMakesTheCleanPicture(PipelineOptions.defaults()));
    }

    @Test
    void everyLinkThatLeadsNowhereIsNamed() throws IOException {
        toCache();
        for (String name :
                List.of(
                        "model_index.json",
                        "scheduler/scheduler_config.json",
                        "tokenizer/spiece.model",
                        "tokenizer/special_tokens_map.json",
                        "text_encoder/config.json",
                        TEXT + ".safetensors",
                        "transformer/config.json",
                        TRANSFORMER + ".safetensors",
                        VAE + ".safetensors")) {
            Path link = folder.resolve(name);
            Path blob = link.toRealPath();
            Path incomplete = blob.resolveSibling(blob.getFileName() + ".incomplete");
            Files.move(blob, incomplete);
            String message = refusal(PipelineOptions.defaults());
            assertTrue(message.contains("download unfinished"), message);
            assertTrue(message.contains(link.toString()), message);
            // A client that makes the link last leaves none.
            Files.delete(link);
            if (!name.endsWith("special_tokens_map.json")) {
                message = refusal(PipelineOptions.defaults());
                assertTrue(message.contains(Path.of(name).getFileName().toString()), message);
            }
            Files.move(incomplete, blob);
            Files.createSymbolicLink(link, link.getParent().relativize(blob));
        }
        assertEquals(List.of(), assertMakesTheCleanPicture(PipelineOptions.defaults()));
    }

    // ---- Types of the autoencoder ----

    private String vaeDtype(PipelineOptions options) {
        try (var pipeline = Pipeline.load(folder, options)) {
            var request =
                    SampleRequest.builder()
                            .prompt("a")
                            .steps(1)
                            .width(16)
                            .height(16)
                            .binning(false)
                            .build();
            return (String) pipeline.sample(request).used().get("vaeDtype");
        }
    }

    @Test
    void forceUpcastKeepsTheAutoencoderOutOfFloat16() throws IOException {
        var float16 = PipelineOptions.defaults().withDtype(DType.FLOAT16);
        assertEquals("float32", vaeDtype(float16));
        assertEquals("float16", vaeDtype(float16.withVaeDtype(DType.FLOAT16)));
        assertEquals("bfloat16", vaeDtype(PipelineOptions.defaults().withDtype(DType.BFLOAT16)));
        json("vae/config.json", json -> json.put("force_upcast", false));
        assertEquals("float16", vaeDtype(float16));
    }
}
