package dev.darkroom.models.convert;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.CheckpointWriter;
import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.vae.AutoencoderTiny;
import dev.darkroom.models.vae.AutoencoderTinyConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Checkpoints are the same in both layouts, and what can't be had in the other is refused. */
class ConversionTest {
    private static final JsonMapper JSON = new JsonMapper();
    private static final Path CASES = Path.of("../tests/cases");
    private static final String UNET = "unet/diffusion_pytorch_model.safetensors";

    @TempDir Path temporary;

    // ---- Small checkpoints ----

    private Path copy(String name) throws IOException {
        Path model = CASES.resolve(name).resolve("model");
        Path folder = temporary.resolve("folder");
        try (Stream<Path> files = Files.walk(model)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = folder.resolve(model.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                Files.copy(file, copy);
            }
        }
        return folder;
    }

    private static void edit(Path file, Consumer<ObjectNode> change) throws IOException {
        var json = (ObjectNode) JSON.readTree(file.toFile());
        change.accept(json);
        Files.writeString(file, json.toString());
    }

    private static void change(Path file, BiFunction<String, Tensor, Tensor> change)
            throws IOException {
        try (var scope = TensorScope.open();
                var weights = Safetensors.open(file, LoadMode.READ)) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (String name : weights.names()) {
                tensors.put(name, change.apply(name, weights.tensor(name)).contiguous());
            }
            SafetensorsWriter.write(file, tensors, Map.of());
        }
    }

    /** What came with Stable Diffusion 2: linear layers, GELU, velocities. */
    private Path second(boolean zeroSnr) throws IOException {
        Path folder = copy("sd15");
        edit(folder.resolve("unet/config.json"), json -> json.put("use_linear_projection", true));
        edit(folder.resolve("text_encoder/config.json"), json -> json.put("hidden_act", "gelu"));
        edit(
                folder.resolve("scheduler/scheduler_config.json"),
                json ->
                        json.put("_class_name", "DDIMScheduler")
                                .put("prediction_type", "v_prediction")
                                .put("rescale_betas_zero_snr", zeroSnr)
                                .remove("skip_prk_steps"));
        edit(
                folder.resolve("model_index.json"),
                json -> json.putArray("scheduler").add("diffusers").add("DDIMScheduler"));
        change(
                folder.resolve(UNET),
                (name, tensor) ->
                        name.matches(".*[.]proj_(in|out)[.]weight")
                                ? tensor.reshape(tensor.size(0), tensor.size(1))
                                : tensor);
        return folder;
    }

    /** A U-Net that is also shown a mask and a picture. */
    private Path inpainting(String name, String pipeline) throws IOException {
        Path folder = copy(name);
        edit(folder.resolve("model_index.json"), json -> json.put("_class_name", pipeline));
        edit(folder.resolve("unet/config.json"), json -> json.put("in_channels", 9));
        change(
                folder.resolve(UNET),
                (key, tensor) ->
                        key.equals("conv_in.weight")
                                ? Ops.cat(1, tensor, tensor.times(0.5), tensor.narrow(1, 0, 1))
                                : tensor);
        return folder;
    }

    /** The second text encoder alone, and a score of beauty in place of the target size. */
    private Path refiner() throws IOException {
        Path folder = copy("sdxl");
        edit(
                folder.resolve("model_index.json"),
                json -> {
                    json.put("_class_name", "StableDiffusionXLImg2ImgPipeline");
                    json.put("requires_aesthetics_score", true);
                    json.put("force_zeros_for_empty_prompt", false);
                    json.putArray("text_encoder").addNull().addNull();
                    json.putArray("tokenizer").addNull().addNull();
                });
        edit(
                folder.resolve("unet/config.json"),
                json ->
                        json.put("cross_attention_dim", 4)
                                .put("projection_class_embeddings_input_dim", 26));
        change(
                folder.resolve(UNET),
                (name, tensor) ->
                        name.matches(".*attn2\\.to_[kv]\\.weight")
                                ? tensor.narrow(1, 0, 4)
                                : name.equals("add_embedding.linear_1.weight")
                                        ? tensor.narrow(1, 0, 26)
                                        : tensor);
        return folder;
    }

    private Path checkpoint(String name) throws IOException {
        return switch (name) {
            case "sd2" -> second(false);
            case "sd2 with zero SNR" -> second(true);
            case "sd15 inpainting" -> inpainting("sd15", "StableDiffusionInpaintPipeline");
            case "sdxl inpainting" -> inpainting("sdxl", "StableDiffusionXLInpaintPipeline");
            case "refiner" -> refiner();
            default -> copy(name);
        };
    }

    private static Conversion convert(Path from, Path to) throws IOException {
        return Conversion.of(from, to, Conversion.Options.KEEP);
    }

    /** A picture of which a part is made anew, as all of these can. */
    private static byte[] picture(Path model) {
        var mask = new float[24 * 16];
        Arrays.fill(mask, 100, 200, 1);
        var edit =
                new Edit(
                        new Image(3, 24, 16, new float[3 * 24 * 16]),
                        new Image(1, 24, 16, mask),
                        1);
        var request =
                SampleRequest.builder()
                        .prompt("a red heart, two cats")
                        .steps(2)
                        .width(16)
                        .height(24)
                        .edit(edit)
                        .build();
        try (var pipeline = Pipeline.load(model.toString(), options())) {
            assertEquals(List.of(), pipeline.warnings());
            return pipeline.sample(request).pictures().getFirst().rgb();
        }
    }

    private static PipelineOptions options() {
        return PipelineOptions.defaults().withLogging(false);
    }

    /** Everything that weights hold: bytes, types and shapes, by part and name. */
    private static Map<String, String> tensors(Path folder) throws IOException {
        Map<String, String> all = new LinkedHashMap<>();
        try (var scope = TensorScope.open();
                Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
                try (var weights = Safetensors.open(file, LoadMode.READ)) {
                    for (String name : weights.names()) {
                        Tensor tensor = weights.tensor(name);
                        all.put(
                                folder.relativize(file) + " " + name,
                                tensor.dtype()
                                        + ""
                                        + tensor.shape()
                                        + Arrays.hashCode(
                                                tensor.to(DType.FLOAT64).toDoubleArray()));
                    }
                }
            }
        }
        return new TreeMap<>(all);
    }

    private static Set<String> files(Path folder) throws IOException {
        Set<String> names = new TreeSet<>();
        try (Stream<Path> files = Files.walk(folder)) {
            files.filter(Files::isRegularFile)
                    .forEach(file -> names.add(folder.relativize(file).toString()));
        }
        return names;
    }

    // ---- There and back ----

    @ParameterizedTest
    @CsvSource({
        "sd15, Stable Diffusion 1",
        "sdxl, Stable Diffusion XL",
        "sd2, Stable Diffusion 2",
        "sd2 with zero SNR, Stable Diffusion 2",
        "sd15 inpainting, Stable Diffusion 1 Inpainting",
        "sdxl inpainting, Stable Diffusion XL Inpainting",
        "refiner, Stable Diffusion XL Refiner"
    })
    void aCheckpointIsTheSameInBothLayouts(String name, String kind) throws IOException {
        long live = Memory.liveTensors();
        Path folder = checkpoint(name);
        Path file = temporary.resolve("file.safetensors");
        Conversion there = convert(folder, file);
        assertEquals(kind, there.kind());
        assertEquals(List.of(), there.warnings());
        Path back = temporary.resolve("back");
        Conversion returned = convert(file, back);
        assertEquals(kind, returned.kind());
        assertEquals(there.pipeline(), returned.pipeline());
        Map<String, String> expected = tensors(folder);
        expected.keySet()
                .removeIf(key -> key.startsWith("text_encoder/") && name.equals("refiner"));
        assertEquals(expected, tensors(back));
        Path again = temporary.resolve("again.safetensors");
        convert(back, again);
        assertEquals(-1, Files.mismatch(file, again));
        byte[] picture = picture(folder);
        assertArrayEquals(picture, picture(file));
        assertArrayEquals(picture, picture(back));
        assertEquals(live, Memory.liveTensors());
        try (Stream<Path> left = Files.list(temporary)) {
            assertEquals(4, left.count());
        }
    }

    @Test
    void controlNetsHaveNoPlaceInASingleFile() throws IOException {
        Path steered = CASES.resolve("sd15_controlled/model");
        Path file = temporary.resolve("steered.safetensors");
        var conversion = Conversion.of(steered, file, Conversion.Options.KEEP);
        String place = steered + ": a single file has no place for the part controlnet";
        assertEquals(List.of(place, place + "_1"), conversion.warnings());
        assertArrayEquals(picture(CASES.resolve("sd15/model")), picture(file));
    }

    /** Of the cases in another folder, those of Stable Diffusion. */
    @Test
    void theCasesOfAnotherFolderAreTheSameInBothLayouts() throws IOException {
        String cases = System.getProperty("darkroom.cases");
        assumeTrue(cases != null, "-Ddarkroom.cases names no folder");
        int converted = 0;
        try (Stream<Path> all = Files.list(Path.of(cases))) {
            for (Path model : all.map(each -> each.resolve("model")).sorted().toList()) {
                Path index = model.resolve("model_index.json");
                if (!Files.exists(index)
                        || !JSON.readTree(index.toFile())
                                .path("_class_name")
                                .asText()
                                .matches(
                                        "StableDiffusion(XL)?(Img2Img|Inpaint)?Pipeline|Latent.*")) {
                    continue;
                }
                Path file = temporary.resolve(converted + ".safetensors");
                Path back = temporary.resolve(String.valueOf(converted++));
                convert(model, file);
                convert(file, back);
                assertEquals(tensors(model), tensors(back), model.toString());
                assertArrayEquals(picture(model), picture(file), model.toString());
            }
        }
        assertTrue(converted >= 5, converted + " cases");
    }

    /** Oldest attention of autoencoders, as in most published folders. */
    @Test
    void oldNamesBecomeThoseOfTheFile() throws IOException {
        Path folder = copy("sd15");
        Path vae = folder.resolve("vae/diffusion_pytorch_model.safetensors");
        Map<String, String> old =
                Map.of("to_q", "query", "to_k", "key", "to_v", "value", "to_out.0", "proj_attn");
        try (var scope = TensorScope.open();
                var weights = Safetensors.open(vae, LoadMode.READ)) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (String name : weights.names()) {
                String renamed = name;
                for (var each : old.entrySet()) {
                    renamed =
                            renamed.replace("." + each.getKey() + ".", "." + each.getValue() + ".");
                }
                tensors.put(renamed, weights.tensor(name));
            }
            SafetensorsWriter.write(vae, tensors, Map.of());
        }
        Path file = temporary.resolve("file.safetensors");
        convert(folder, file);
        var stored = SafetensorsHeader.read(file).tensors();
        String key = "first_stage_model.encoder.mid.attn_1.q.weight";
        assertEquals(List.of(8L, 8L, 1L, 1L), sizes(stored.get(key).shape().toArray()));
        assertArrayEquals(picture(folder), picture(file));
    }

    private static List<Long> sizes(long[] sizes) {
        return Arrays.stream(sizes).boxed().toList();
    }

    @Test
    void weightsAreCastWhereThatIsAskedFor() throws IOException {
        Path file = temporary.resolve("half.safetensors");
        var options = new Conversion.Options(DType.FLOAT16, null, false);
        Path folder = copy("sd15");
        Conversion made = Conversion.of(folder, file, options);
        var header = SafetensorsHeader.read(file);
        assertTrue(
                header.tensors().values().stream().allMatch(t -> t.dtype().name().equals("F16")));
        assertEquals(made.bytes(), header.tensorBytes());
        assertEquals(made.tensors(), header.tensors().size());
        change(
                folder.resolve(UNET),
                (name, tensor) -> name.equals("conv_out.bias") ? tensor.plus(1e6) : tensor);
        Path other = temporary.resolve("other.safetensors");
        var refused = assertThrows(IOException.class, () -> Conversion.of(folder, other, options));
        assertTrue(refused.getMessage().contains("too large for float16"), refused.getMessage());
        assertFalse(Files.exists(other));
        assertThrows(
                IllegalArgumentException.class,
                () -> new Conversion.Options(DType.INT8, null, false));
    }

    @Test
    void whatTensorsDoNotSayIsKept() throws IOException {
        Path folder = copy("sd15");
        Files.writeString(folder.resolve("darkroom.json"), "{\"steps\": 3}");
        edit(
                folder.resolve("model_index.json"),
                json -> json.putArray("safety_checker").add("stable_diffusion").add("Checker"));
        Path file = temporary.resolve("file.safetensors");
        convert(folder, file);
        var kept = JSON.readTree(SafetensorsHeader.read(file).metadata().get(SingleFile.FILES));
        // The tiny sizes; of the index nothing, since no file has a safety checker.
        assertEquals(
                Set.of(
                        "unet/config.json",
                        "text_encoder/config.json",
                        "vae/config.json",
                        "scheduler/scheduler_config.json",
                        "tokenizer/vocab.json",
                        "tokenizer/merges.txt",
                        "tokenizer/tokenizer_config.json",
                        "tokenizer/special_tokens_map.json",
                        "darkroom.json"),
                kept.properties().stream().map(Map.Entry::getKey).collect(Collectors.toSet()));
        Path back = temporary.resolve("back");
        convert(file, back);
        assertEquals(files(folder), files(back));
        try (var pipeline = Pipeline.load(file.toString(), options())) {
            var request = SampleRequest.builder().prompt("a").width(16).height(16).build();
            assertEquals(3, pipeline.sample(request).used().get("steps"));
        }
    }

    // ---- What is refused ----

    private void assertRefused(Path from, Path to, String... expected) throws IOException {
        Set<String> before = files(temporary);
        var refused = assertThrows(IOException.class, () -> convert(from, to));
        String message = String.valueOf(refused.getMessage());
        for (String each : expected) {
            assertTrue(message.contains(each), message);
        }
        assertEquals(before, files(temporary));
    }

    @Test
    void nothingIsReplaced() throws IOException {
        Path folder = copy("sd15");
        Path file = temporary.resolve("file.safetensors");
        convert(folder, file);
        assertRefused(folder, file, file.toString(), "is there already");
        assertRefused(file, folder, folder.toString(), "is there already");
        Path link = temporary.resolve("link");
        Files.createSymbolicLink(link, temporary.resolve("nowhere"));
        assertRefused(file, link, link.toString(), "is there already");
        Path far = temporary.resolve("no/where");
        assertRefused(file, far, far.toString(), "its folder does not exist");
    }

    @Test
    void bothEndsHaveTheirLayouts() throws IOException {
        Path folder = copy("sd15");
        Path file = temporary.resolve("file.safetensors");
        convert(folder, file);
        assertRefused(file, file, "is a single file, which becomes a folder");
        assertRefused(folder, temporary.resolve("other"), "name one that ends in .safetensors");
        assertRefused(temporary.resolve("no"), temporary.resolve("other"), "no such file");
        assertRefused(folder.resolve("unet"), temporary.resolve("x.safetensors"), "model_index");
        assertRefused(
                folder.resolve(UNET), temporary.resolve("x"), "a network of a checkpoint folder");
    }

    @ParameterizedTest
    @ValueSource(strings = {"pixart_alpha", "dit"})
    void familiesWithoutSuchFilesAreNamed(String name) throws IOException {
        Path folder = copy(name);
        assertRefused(folder, temporary.resolve("x.safetensors"), "can't be a single file: ");
    }

    @Test
    void whatIsMissingOrInTheWayIsNamed() throws IOException {
        Path folder = copy("sd15");
        Path file = temporary.resolve("file.safetensors");
        convert(folder, file);
        Path target = temporary.resolve("target");
        Path changed = temporary.resolve("changed.safetensors");
        write(changed, file, "model.diffusion_model.out.2.bias", null, Map.of());
        assertRefused(changed, target, "conv_out.bias");
        write(changed, file, null, "model.diffusion_model.label_emb.0.0.weight", Map.of());
        assertRefused(changed, target, "is no Stable Diffusion 1", "label_emb.0.0.weight");
        write(changed, file, null, "cond_stage_model.transformer.a.scale_weight", Map.of());
        assertRefused(changed, target, "scale_weight");
        for (String path :
                List.of("../a.json", "a/b/c.json", "a.py", "unet/a.safetensors", "/a.txt")) {
            String files = JSON.writeValueAsString(Map.of(path, "{}"));
            write(changed, file, null, null, Map.of(SingleFile.FILES, files));
            assertRefused(changed, target, path, "can't be a config");
        }
        Files.delete(folder.resolve("vae/diffusion_pytorch_model.safetensors"));
        assertRefused(folder, temporary.resolve("x.safetensors"), "vae");
    }

    private static void write(
            Path to, Path from, String without, String with, Map<String, String> metadata)
            throws IOException {
        try (var scope = TensorScope.open();
                var weights = Safetensors.open(from, LoadMode.READ)) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (String name : weights.names()) {
                tensors.put(name, weights.tensor(name));
            }
            tensors.remove(without);
            if (with != null) {
                tensors.put(with, Tensor.zeros(DType.FLOAT32, 1));
            }
            Map<String, String> all = new LinkedHashMap<>(weights.metadata());
            all.putAll(metadata);
            SafetensorsWriter.write(to, tensors, all);
        }
    }

    /** Tiny autoencoders have no names in such files: not as the only one, nor beside another. */
    @Test
    void aTinyAutoencoderStaysOut() throws IOException {
        Path folder = copy("sd15");
        String config =
                """
                {"_class_name": "AutoencoderTiny", "encoder_block_out_channels": [4, 4],
                 "decoder_block_out_channels": [4, 4], "num_encoder_blocks": [1, 1],
                 "num_decoder_blocks": [1, 1], "latent_channels": 4}
                """;
        var json = (ObjectNode) JSON.readTree(config);
        var tiny = ConfigReader.of(json, AutoencoderTinyConfig::of);
        Path beside = folder.resolve("vae_tiny");
        Files.createDirectories(beside);
        try (var network =
                Weights.random(1, DType.FLOAT32, Device.CPU, w -> new AutoencoderTiny(w, tiny))) {
            CheckpointWriter.network(beside, Library.DIFFUSERS, json, network, DType.FLOAT32);
        }
        Path file = temporary.resolve("file.safetensors");
        List<String> warnings = convert(folder, file).warnings();
        assertEquals(
                List.of(folder + ": a single file has no place for the part vae_tiny"), warnings);
        Path back = temporary.resolve("back");
        convert(file, back);
        Map<String, String> expected = tensors(folder);
        expected.keySet().removeIf(key -> key.startsWith("vae_tiny/"));
        assertEquals(expected, tensors(back));
        for (String name : List.of("config.json", "diffusion_pytorch_model.safetensors")) {
            Files.copy(
                    beside.resolve(name),
                    folder.resolve("vae").resolve(name),
                    StandardCopyOption.REPLACE_EXISTING);
        }
        edit(
                folder.resolve("model_index.json"),
                index -> index.putArray("vae").add("diffusers").add("AutoencoderTiny"));
        assertRefused(folder, temporary.resolve("x.safetensors"), "its autoencoder is a tiny one");
    }

    @Test
    void aRefinerWithItsEncoderInTheFirstsPlaceIsToldSo() throws IOException {
        Path folder = refiner();
        for (String part : List.of("text_encoder", "tokenizer")) {
            Files.move(folder.resolve(part), folder.resolve("of_the_base_" + part));
            Files.move(folder.resolve(part + "_2"), folder.resolve(part));
        }
        edit(
                folder.resolve("model_index.json"),
                json -> {
                    json.set("text_encoder", json.remove("text_encoder_2"));
                    json.set("tokenizer", json.remove("tokenizer_2"));
                });
        assertRefused(folder, temporary.resolve("x.safetensors"), "call the parts text_encoder_2");
    }
}
