package dev.darkroom.models.family.sd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.json.JsonMapper;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.HubLayout;
import dev.darkroom.models.checkpoint.KeyMap;
import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.models.clip.ClipConfig;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.layers.OldAttention;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.unet.UnetConfig;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsDType;
import dev.darkroom.runtime.safetensors.SafetensorsHeader;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.runtime.safetensors.StoredTensor;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;

/** Files in the layout of Stable Diffusion's authors give what the folders give. */
class SingleFileTest {
    private static final JsonMapper JSON = new JsonMapper();
    private static final Path CASES = Path.of("../tests/cases");
    private static final String UNET = "model.diffusion_model.";
    private static final String VAE = "first_stage_model.";
    private static final String TEXT = "cond_stage_model.transformer.";

    @TempDir Path temporary;

    /** How a tiny case would be stored. */
    private static Map<String, KeyMap> maps(String name, boolean nested) {
        Map<String, KeyMap> maps = new LinkedHashMap<>();
        maps.put("vae", OriginalKeys.autoencoder(VAE, 2, 1));
        if (name.equals("sd15")) {
            maps.put("unet", OriginalKeys.unet(UNET, 1, List.of(true, false)));
            maps.put("text_encoder", OriginalKeys.clip(TEXT, nested));
        } else {
            maps.put("unet", OriginalKeys.unet(UNET, 1, List.of(false, true)));
            maps.put(
                    "text_encoder",
                    OriginalKeys.clip("conditioner.embedders.0.transformer.", nested));
            maps.put("text_encoder_2", OriginalKeys.openClip("conditioner.embedders.1.model.", 2));
        }
        return maps;
    }

    /** Writes a tiny case as a single file; what shapes do not say is in the metadata. */
    private Path write(String name, boolean nested, Predicate<String> kept, String... extras)
            throws IOException {
        Path folder = CASES.resolve(name).resolve("model");
        Path file = temporary.resolve(name + ".safetensors");
        Map<String, String> texts = new LinkedHashMap<>();
        try (var files = Files.walk(folder)) {
            for (Path each : files.filter(Files::isRegularFile).toList()) {
                if (!each.toString().endsWith(".safetensors")) {
                    texts.put(folder.relativize(each).toString(), Files.readString(each));
                }
            }
        }
        try (var scope = TensorScope.open()) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (var part : maps(name, nested).entrySet()) {
                String stem =
                        part.getKey().startsWith("text") ? "model" : "diffusion_pytorch_model";
                Path weights = folder.resolve(part.getKey()).resolve(stem + ".safetensors");
                try (var opened = Safetensors.open(weights, LoadMode.READ)) {
                    WeightSource hub = opened.weights();
                    var stored =
                            part.getValue()
                                    .inFile(
                                            part.getKey().equals("vae")
                                                    ? OldAttention.currentNames(hub)
                                                    : hub);
                    for (String key : stored.keys()) {
                        if (kept.test(key)) {
                            tensors.put(key, stored.read(key).contiguous());
                        }
                    }
                }
            }
            for (String extra : extras) {
                tensors.put(extra, Tensor.zeros(DType.FLOAT32, 2));
            }
            SafetensorsWriter.write(
                    file, tensors, Map.of(SingleFile.FILES, JSON.writeValueAsString(texts)));
        }
        return file;
    }

    private static byte[] picture(Path model) {
        var request =
                SampleRequest.builder()
                        .prompt("a red heart, two cats")
                        .steps(2)
                        .width(16)
                        .height(24)
                        .build();
        try (var pipeline = Pipeline.load(model.toString(), options())) {
            assertEquals(List.of(), pipeline.warnings());
            return pipeline.sample(request).pictures().getFirst().rgb();
        }
    }

    private static PipelineOptions options() {
        return PipelineOptions.defaults().withLogging(false);
    }

    @ParameterizedTest
    @CsvSource({"sd15,true", "sd15,false", "sdxl,true"})
    void picturesAreThoseOfTheFolder(String name, boolean nested) throws IOException {
        long live = Memory.liveTensors();
        Path file =
                write(
                        name,
                        nested,
                        key -> true,
                        "model_ema.decay",
                        "alphas_cumprod",
                        "cond_stage_model.logit_scale");
        assertArrayEquals(picture(CASES.resolve(name).resolve("model")), picture(file));
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void tensorsWithoutAUseAreNamed() throws IOException {
        Path file = write("sd15", true, key -> true, "another.network");
        try (var pipeline = Pipeline.load(file.toString(), options())) {
            assertEquals(
                    List.of(file + ": no network has a use for the tensor another.network"),
                    pipeline.warnings());
        }
        var strict = options().withStrict(true);
        assertProblem(file, strict, "no network has a use for the tensor another.network");
    }

    @Test
    void whatIsMissingIsNamed() throws IOException {
        Path file = write("sd15", true, key -> !key.startsWith(VAE));
        assertProblem(file, options(), "no autoencoder (first_stage_model.*)");
        file = write("sd15", true, key -> key.startsWith(UNET));
        assertProblem(file, options(), "the U-Net alone");
        file = write("sdxl", true, key -> !key.startsWith("conditioner.embedders.0"));
        assertProblem(file, options(), "but not the first (conditioner.embedders.0.transformer.*)");
        file = write("sd15", true, key -> !key.equals(UNET + "middle_block.0.in_layers.2.weight"));
        assertProblem(file, options(), "mid_block.resnets.0.conv1.weight");
        file = write("sd15", true, key -> true, "edm_mean");
        assertProblem(file, options(), "trained on the noise levels of EDM");
    }

    /** Files of whole CLIPs, of training with averages, and what merging tools make of integers. */
    @Test
    void whatIsKnownToBeLeftIsPassedOver() throws IOException {
        Path file =
                write(
                        "sd15",
                        true,
                        key -> true,
                        "model_ema.diffusion_modelinput_blocks00weight",
                        TEXT + "text_model.embeddings.position_ids",
                        TEXT + "vision_model.encoder.layers.0.layer_norm1.bias",
                        TEXT + "visual_projection.weight",
                        "first_stage_model.loss.discriminator.main.0.weight",
                        "global_step");
        try (var pipeline = Pipeline.load(file.toString(), options().withStrict(true))) {
            assertEquals(List.of(), pipeline.warnings());
        }
    }

    /**
     * SSD-1B and its kin have other depths, unCLIP and the upscaler embed a class: names tell, and
     * a picture without these tensors would be another.
     */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "model.diffusion_model.label_emb.0.0.weight",
                "model.diffusion_model.output_blocks.2.1.transformer_blocks.9.norm1.weight",
                "model.diffusion_model.scaled_fp8",
                "cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.scale_weight"
            })
    void aNetworkThatIsAnotherIsNotTakenForOne(String tensor) throws IOException {
        Path file = write("sd15", true, key -> true, tensor);
        assertProblem(file, options(), "is no Stable Diffusion 1");
        assertProblem(file, options(), "no use for the tensor " + tensor);
    }

    @ParameterizedTest
    @CsvSource({
        "lora_unet_mid.lora_up.weight,a LoRA",
        "control_model.time_embed.0.weight,a ControlNet",
        "down_blocks.0.resnets.0.conv1.weight,a network of a checkpoint folder",
        "decoder.up.0.block.0.conv1.weight,an autoencoder alone",
        "input_blocks.0.0.weight,the U-Net alone",
        "text_model.embeddings.token_embedding.weight,a text encoder alone",
        "emb_params,a textual-inversion embedding"
    })
    void otherFilesAreSaidToBeWhatTheyAre(String tensor, String what) throws IOException {
        Path file = temporary.resolve("other.safetensors");
        try (var scope = TensorScope.open()) {
            var tensors = Map.of(tensor, Tensor.zeros(DType.FLOAT32, 2));
            SafetensorsWriter.write(file, tensors, Map.of());
        }
        assertProblem(file, options(), what);
    }

    private static void assertProblem(Path file, PipelineOptions options, String expected) {
        var problem =
                assertThrows(
                        PipelineException.class, () -> Pipeline.load(file.toString(), options));
        String message = String.valueOf(problem.getMessage());
        assertTrue(message.contains(expected) && message.contains(file.toString()), message);
    }

    // ---- Full size ----

    /** The tensors of a list of keys, which can't be read. */
    private record Listed(Map<String, Shape> shapes) implements WeightSource {
        @Override
        public String name() {
            return "the list";
        }

        @Override
        public Set<String> keys() {
            return shapes.keySet();
        }

        @Override
        public Shape shape(String key) {
            return shapes.get(key);
        }

        @Override
        public Optional<DType> dtype(String key) {
            return Optional.of(DType.FLOAT32);
        }

        @Override
        public Tensor read(String key) {
            throw new UnsupportedOperationException(key);
        }
    }

    /** Of every published list the names of a file lead back to the list, and to its configs. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "runwayml/stable-diffusion-v1-5",
                "runwayml/stable-diffusion-inpainting",
                "stabilityai/stable-diffusion-2-1",
                "stabilityai/stable-diffusion-xl-base-1.0",
                "stabilityai/stable-diffusion-xl-refiner-1.0"
            })
    void publishedKeysLeadToAFileAndBack(String id) throws IOException {
        String property = System.getProperty("darkroom.published");
        assumeTrue(property != null, "-Ddarkroom.published names no folder");
        Path hub = Path.of(property, "hub", id);
        Path keys = Path.of(property, "keys", id.substring(id.indexOf('/') + 1));
        boolean xl = id.contains("xl");
        boolean second = id.contains("2-1");
        boolean refiner = id.contains("refiner");
        UnetConfig unet = UnetConfig.read(hub.resolve("unet/config.json"), Warnings.collected());
        Map<String, KeyMap> maps = new LinkedHashMap<>();
        maps.put("unet", OriginalKeys.unet(UNET, 2, unet.downBlockAttention()));
        maps.put("vae", OriginalKeys.autoencoder(VAE, 4, 2));
        // Diffusers' refiner has its only text encoder in the second's place.
        maps.put(
                refiner ? "text_encoder_2" : "text_encoder",
                refiner
                        ? OriginalKeys.openClip("conditioner.embedders.0.model.", 32)
                        : second
                                ? OriginalKeys.openClip("cond_stage_model.model.", 23)
                                : OriginalKeys.clip(
                                        xl ? "conditioner.embedders.0.transformer." : TEXT, true));
        if (xl && !refiner) {
            maps.put("text_encoder_2", OriginalKeys.openClip("conditioner.embedders.1.model.", 32));
        }
        Map<String, Shape> all = new TreeMap<>();
        Map<String, Map<String, Shape>> lists = new LinkedHashMap<>();
        for (var part : maps.entrySet()) {
            Map<String, Shape> list = new TreeMap<>();
            String listed = refiner ? part.getKey().replace("_2", "") : part.getKey();
            JSON.readTree(keys.resolve(listed + ".json").toFile())
                    .properties()
                    .forEach(
                            each ->
                                    list.put(
                                            each.getKey(),
                                            Shape.of(
                                                    JSON.convertValue(
                                                            each.getValue().get(1),
                                                            long[].class))));
            list.remove("text_model.embeddings.position_ids");
            lists.put(part.getKey(), list);
            var stored = part.getValue().inFile(new Listed(list));
            stored.keys().forEach(key -> assertEquals(null, all.put(key, stored.shape(key)), key));
        }
        var layout = layout(all, second ? "v" : "epsilon");
        assertEquals(maps.keySet(), layout.weights().keySet());
        layout.weights()
                .forEach(
                        (part, map) -> {
                            var list = lists.get(part);
                            var back = map.atHubs(new Listed(all), list.keySet());
                            Map<String, Shape> shapes = new TreeMap<>();
                            back.keys().forEach(key -> shapes.put(key, back.shape(key)));
                            assertEquals(list, shapes);
                        });
        assertConfigs(hub, layout, refiner);
    }

    private static HubLayout layout(Map<String, Shape> tensors, String prediction)
            throws IOException {
        Path file = Path.of("file.safetensors");
        Map<String, StoredTensor> stored = new LinkedHashMap<>();
        tensors.forEach(
                (name, shape) ->
                        stored.put(
                                name,
                                new StoredTensor(
                                        name,
                                        SafetensorsDType.F32,
                                        shape,
                                        file,
                                        0,
                                        4 * shape.elements())));
        var metadata = Map.of("modelspec.prediction_type", prediction);
        var header = new SafetensorsHeader(file, 0, stored, metadata);
        return OriginalFile.layoutOf(header).orElseThrow();
    }

    private static void assertConfigs(Path hub, HubLayout layout, boolean refiner)
            throws IOException {
        var published = JSON.readTree(hub.resolve(Checkpoint.INDEX).toFile());
        var index = JSON.readTree(layout.files().get(Checkpoint.INDEX));
        assertEquals(published.path("_class_name"), index.path("_class_name"));
        assertEquals(
                published.path("requires_aesthetics_score").asBoolean(),
                index.path("requires_aesthetics_score").asBoolean());
        assertEquals(published.path("scheduler"), index.path("scheduler"));
        assertSameScheduler(
                Scheduler.read(
                        hub.resolve("scheduler/scheduler_config.json"), Warnings.collected()),
                ConfigReader.of(
                        "",
                        layout.files().get("scheduler/scheduler_config.json"),
                        Warnings.collected(),
                        Scheduler::of));
        UnetConfig expected =
                UnetConfig.read(hub.resolve("unet/config.json"), Warnings.collected());
        UnetConfig unet =
                ConfigReader.of(
                        "",
                        layout.files().get("unet/config.json"),
                        Warnings.strict(),
                        UnetConfig::of);
        assertEquals(withoutDepths(expected), withoutDepths(unet));
        for (int level = 0; level < expected.transformerLayers().size(); level++) {
            if (expected.downBlockAttention().get(level)) {
                assertEquals(
                        expected.transformerLayers().get(level),
                        unet.transformerLayers().get(level));
            }
        }
        assertEquals(expected.transformerLayers().getLast(), unet.transformerLayers().getLast());
        for (String part : List.of("text_encoder", "text_encoder_2")) {
            Path config =
                    hub.resolve(refiner ? part.replace("_2", "") : part).resolve("config.json");
            if (Files.exists(config) && (!refiner || part.endsWith("2"))) {
                boolean projects = refiner || part.endsWith("2");
                assertEquals(
                        clip(Files.readString(config), projects, Warnings.collected()),
                        clip(
                                layout.files().get(part + "/config.json"),
                                projects,
                                Warnings.strict()));
            }
        }
        var vae = AutoencoderKlConfig.read(hub.resolve("vae/config.json"), Warnings.collected());
        assertEquals(
                vae,
                ConfigReader.of(
                        "",
                        layout.files().get("vae/config.json"),
                        Warnings.strict(),
                        AutoencoderKlConfig::of));
    }

    private static void assertSameScheduler(Scheduler expected, Scheduler scheduler) {
        assertEquals(expected.plan(7).levels(), scheduler.plan(7).levels());
        String ofObjects = "@[0-9a-f]+";
        assertEquals(
                expected.toString().replaceAll(ofObjects, ""),
                scheduler.toString().replaceAll(ofObjects, ""));
    }

    private static ClipConfig clip(String json, boolean projects, Warnings warnings) {
        return ConfigReader.of(
                "", json, warnings, projects ? ClipConfig::ofProjecting : ClipConfig::of);
    }

    /** Of levels without attention published configs say one or the other, and it is the same. */
    private static String withoutDepths(UnetConfig config) {
        return config.toString().replaceAll("transformerLayers=\\[[^]]*]", "");
    }
}
