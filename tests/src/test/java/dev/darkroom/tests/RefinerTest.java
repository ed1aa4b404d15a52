package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.SizeCondition;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * The refiner of Stable Diffusion XL, made of parts of the case {@code sdxl}: its second text
 * encoder alone, and its U-Net with fewer columns where texts and numbers come in.
 */
class RefinerTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** The width of the second text encoder. */
    private static final int TEXT = 4;

    /** Its pooled text, and five numbers in four sinusoids each. */
    private static final int NUMBERS = 6 + 5 * 4;

    @TempDir private Path model;

    private void edit(String file, Consumer<ObjectNode> change) throws IOException {
        Path path = model.resolve(file);
        var json = (ObjectNode) JSON.readTree(path.toFile());
        change.accept(json);
        JSON.writeValue(path.toFile(), json);
    }

    @BeforeEach
    void makeRefiner() throws IOException {
        Cases.copyModel("sdxl", model);
        edit(
                "model_index.json",
                index -> {
                    index.put("_class_name", "StableDiffusionXLImg2ImgPipeline");
                    index.put("requires_aesthetics_score", true);
                    index.put("force_zeros_for_empty_prompt", false);
                    index.putArray("text_encoder").addNull().addNull();
                    index.putArray("tokenizer").addNull().addNull();
                });
        edit(
                "unet/config.json",
                config ->
                        config.put("cross_attention_dim", TEXT)
                                .put("projection_class_embeddings_input_dim", NUMBERS));
        Path file = model.resolve("unet/diffusion_pytorch_model.safetensors");
        try (var scope = TensorScope.open();
                var weights = Safetensors.open(file, LoadMode.READ)) {
            var tensors = new LinkedHashMap<String, Tensor>();
            for (String name : weights.names()) {
                Tensor tensor = weights.tensor(name);
                if (name.matches(".*attn2\\.to_[kv]\\.weight")) {
                    tensor = tensor.narrow(1, 0, TEXT).contiguous();
                } else if (name.equals("add_embedding.linear_1.weight")) {
                    tensor = tensor.narrow(1, 0, NUMBERS).contiguous();
                }
                tensors.put(name, tensor);
            }
            SafetensorsWriter.write(file, tensors, Map.of());
        }
    }

    private static SampleRequest.Builder request() {
        return SampleRequest.builder()
                .prompt("an astronaut riding a horse, oil painting")
                .negativePrompt("blurry")
                .steps(5)
                .guidanceScale(5)
                .width(24)
                .height(16)
                .seed(7);
    }

    private static SampleMonitor comparing(Comparison comparison, String prefix) {
        return new SampleMonitor() {
            @Override
            public boolean traces() {
                return true;
            }

            @Override
            public void traced(String name, Tensor value) {
                if (comparison.expects(prefix + name)) {
                    comparison.compare(prefix + name, value);
                }
            }
        };
    }

    private void assertEqualsDiffusers() throws IOException {
        try (var scope = TensorScope.open();
                var comparison = new Comparison(Path.of("oracle", "refiner.safetensors"));
                var pipeline = Pipeline.load(model, PipelineOptions.defaults())) {
            var edit = new Edit(Image.of(comparison.input("input_image")), null, 0.6);
            pipeline.sample(request().edit(edit).build(), comparing(comparison, ""));
            var sizes = new SizeCondition(new Size(64, 48), 4, 8, new Size(16, 24));
            pipeline.sample(
                    request().sizes(sizes).start(0.5).build(),
                    comparing(comparison, "refine."),
                    comparison.input("refine.input_latents"));
            System.out.println(comparison.report("XL's refiner"));
        }
    }

    @Test
    void equalsDiffusers() throws IOException {
        assertEqualsDiffusers();
    }

    /** Older checkpoints have the one encoder in the first's place. */
    @Test
    void theEncoderMayStandInTheFirstsPlace() throws IOException {
        for (String part : new String[] {"text_encoder", "tokenizer"}) {
            Files.move(model.resolve(part), model.resolve("of_the_base_" + part));
            Files.move(model.resolve(part + "_2"), model.resolve(part));
        }
        edit(
                "model_index.json",
                index -> {
                    index.set("text_encoder", index.remove("text_encoder_2"));
                    index.set("tokenizer", index.remove("tokenizer_2"));
                });
        assertEqualsDiffusers();
    }

    @Test
    void itTakesNoSecondPrompt() {
        try (var pipeline = Pipeline.load(model, PipelineOptions.defaults())) {
            var request = request().secondPrompt("a cat").build();
            var refused = assertThrows(PipelineException.class, () -> pipeline.sample(request));
            assertTrue(refused.getMessage().contains("one text encoder"), refused.getMessage());
        }
    }

    /** Without the score there would be six numbers. */
    @Test
    void aBaseModelWithItsNetworkIsRefused() throws IOException {
        edit("model_index.json", index -> index.put("requires_aesthetics_score", false));
        var refused =
                assertThrows(
                        PipelineException.class,
                        () -> Pipeline.load(model, PipelineOptions.defaults()).close());
        assertTrue(
                refused.getMessage()
                        .contains("which makes 30 with the sizes, but the U-Net takes 26"),
                refused.getMessage());
    }
}
