package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.LoadOptions;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.pipeline.Families;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.plan.Plan;
import dev.darkroom.models.plan.Stage;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Shape;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Whole checkpoints of Stable Diffusion as they were published, at full size and without weights: a
 * family is found for them, loads all of their parts by their keys, and runs with shapes alone.
 * {@code -Ddarkroom.published=FOLDER} names where their configs and lists of keys are.
 */
class PublishedFamiliesTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> WEIGHTS =
            List.of("diffusion_pytorch_model.safetensors", "model.safetensors");

    @TempDir private Path folder;
    private Path published = Path.of("");

    @BeforeEach
    void find() {
        String property = System.getProperty("darkroom.published");
        assumeTrue(property != null, "-Ddarkroom.published names no folder");
        published = Path.of(property);
    }

    @ParameterizedTest
    @CsvSource(
            value = {
                "runwayml/stable-diffusion-v1-5, v1-5, 4",
                "runwayml/stable-diffusion-inpainting, inpainting, 9",
                "stabilityai/stable-diffusion-2-1, 2-1, 4",
                "stabilityai/stable-diffusion-2-inpainting, 2-1, 9",
                "stabilityai/stable-diffusion-xl-base-1.0, xl-base-1.0, 4",
                "stabilityai/stable-diffusion-xl-refiner-1.0, xl-refiner-1.0, 4",
                "diffusers/stable-diffusion-xl-1.0-inpainting-0.1, xl-base-1.0, 9",
                "playgroundai/playground-v2.5-1024px-aesthetic, xl-base-1.0, 4",
                "stabilityai/stable-diffusion-x4-upscaler, x4-upscaler, 7",
            })
    void familiesRunAtFullSize(String model, String keys, int channels) throws IOException {
        Map<String, Long> expected = write(model, keys, channels);
        var request = SampleRequest.builder().steps(1).build();
        Plan plan = Plan.of(folder, PipelineOptions.defaults(), request);
        var parameters = new LinkedHashMap<String, Long>();
        plan.parts().forEach(part -> parameters.put(part.name(), part.parameters()));
        assertEquals(expected, new TreeMap<>(parameters));
        assertEquals(List.of(), warnings());
        System.out.printf("published: %s %s%n", model, parameters);
    }

    @Test
    void aControlNetIsLoadedBesideItsModelAtFullSize() throws IOException {
        write("runwayml/stable-diffusion-v1-5", "v1-5", 4);
        String canny = "control_v11p_sd15_canny";
        Path net = Files.createDirectory(folder.resolve(canny));
        copy(published.resolve("hub/lllyasviel").resolve(canny), net);
        Path list = list(published.resolve("keys").resolve(canny), "controlnet");
        SparseWeights.write(net.resolve(WEIGHTS.getFirst()), tensors(list), "F16", 2);
        var request = SampleRequest.builder().steps(1).build();
        PipelineOptions options = PipelineOptions.defaults();
        Plan alone = Plan.of(folder, options, request);
        Plan steered = Plan.of(folder, options.withControl(net.toString()), request);
        long bytes = loadedBytes(steered) - loadedBytes(alone);
        assertEquals(361_279_120L * 4, bytes);
        assertTrue(
                steered.run().stages().stream()
                        .anyMatch(stage -> "controlnet".equals(stage.part())));
    }

    /** What is there when the parts are loaded, whose largest stage is that of the last one. */
    private static long loadedBytes(Plan plan) {
        return plan.run().stages().stream()
                .filter(stage -> stage.kind() == Stage.Kind.LOAD)
                .mapToLong(stage -> stage.neededBytes() - plan.processBytes())
                .max()
                .orElseThrow();
    }

    private static TreeMap<String, Shape> tensors(Path list) throws IOException {
        var tensors = new TreeMap<String, Shape>();
        for (var key : JSON.readTree(list.toFile()).properties()) {
            tensors.put(key.getKey(), shape(key.getValue().get(1)));
        }
        return tensors;
    }

    /** What loading would warn of: every option of a published config is known. */
    private List<String> warnings() throws IOException {
        var options =
                new LoadOptions(DType.FLOAT32, null, Device.META, true, null, false, Tiling.AUTO);
        try (var checkpoint = Checkpoint.open(folder, options)) {
            Families.BUILT_IN.of(checkpoint.className()).load(checkpoint);
            checkpoint.requireNoOthers();
            return checkpoint.warnings().list();
        }
    }

    /**
     * Writes a checkpoint: published configs, a tokenizer of the same kind, and files of weights
     * that have headers alone.
     *
     * @param keys of a checkpoint with such parts
     * @param channels that the U-Net takes
     * @return how many parameters each part has
     */
    private Map<String, Long> write(String model, String keys, int channels) throws IOException {
        Path source = published.resolve("hub").resolve(model);
        Path lists = published.resolve("keys").resolve("stable-diffusion-" + keys);
        var counts = new TreeMap<String, Long>();
        Files.copy(source.resolve("model_index.json"), folder.resolve("model_index.json"));
        for (var entry : JSON.readTree(source.resolve("model_index.json").toFile()).properties()) {
            String part = entry.getKey();
            if (!entry.getValue().isArray() || entry.getValue().get(0).isNull()) {
                continue;
            }
            Path to = Files.createDirectory(folder.resolve(part));
            if (part.startsWith("tokenizer")) {
                copy(tokenizer(keys, part), to);
                continue;
            }
            copy(source.resolve(part), to);
            Path list = list(lists, part);
            if (!Files.exists(list)) {
                continue;
            }
            var tensors = tensors(list);
            if (part.equals("unet")) {
                tensors.computeIfPresent(
                        "conv_in.weight", (name, shape) -> Shape.of(shape.size(0), channels, 3, 3));
            }
            boolean isTransformers = part.startsWith("text");
            Path weights = to.resolve(WEIGHTS.get(isTransformers ? 1 : 0));
            SparseWeights.write(weights, tensors, "F16", 2);
            counts.put(part, tensors.values().stream().mapToLong(Shape::elements).sum());
        }
        return counts;
    }

    /** The refiner's encoder is listed by the name of its kind. */
    private static Path list(Path lists, String part) {
        Path list = lists.resolve(part + ".json");
        return Files.exists(list) || !part.equals("text_encoder_2")
                ? list
                : lists.resolve("text_encoder.json");
    }

    private Path tokenizer(String keys, String part) {
        String of =
                keys.startsWith("xl")
                        ? "stabilityai/stable-diffusion-xl-base-1.0"
                        : keys.startsWith("2") || keys.startsWith("x4")
                                ? "stabilityai/stable-diffusion-2-1"
                                : "runwayml/stable-diffusion-v1-5";
        return published.resolve("hub").resolve(of).resolve(part);
    }

    private static void copy(Path from, Path to) throws IOException {
        if (Files.isDirectory(from)) {
            try (var files = Files.list(from)) {
                for (Path file : files.filter(Files::isRegularFile).toList()) {
                    Files.copy(file, to.resolve(file.getFileName()));
                }
            }
        }
    }

    private static Shape shape(JsonNode sizes) {
        var shape = new long[sizes.size()];
        for (int i = 0; i < shape.length; i++) {
            shape[i] = sizes.get(i).asLong();
        }
        return Shape.of(shape);
    }
}
