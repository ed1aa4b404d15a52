package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.SizeCondition;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.runtime.DType;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** What checkpoints of Stable Diffusion are asked for, and what they are refused for. */
class StableDiffusionTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir Path folder;

    private static void edit(Path file, Consumer<ObjectNode> change) throws IOException {
        var json = (ObjectNode) JSON.readTree(file.toFile());
        change.accept(json);
        JSON.writeValue(file.toFile(), json);
    }

    private Path edited(String name, String file, Consumer<ObjectNode> change) throws IOException {
        Cases.copyModel(name, folder);
        edit(folder.resolve(file), change);
        return folder;
    }

    private static void assertRefused(Path model, String reason) {
        var refused =
                assertThrows(
                        PipelineException.class,
                        () -> Pipeline.load(model, PipelineOptions.defaults()).close());
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }

    @Test
    void theDefaultsAreThoseOfDiffusers() throws IOException {
        try (var pipeline =
                Pipeline.load(Cases.named("sd15").resolve("model"), PipelineOptions.defaults())) {
            assertEquals(List.of(), pipeline.warnings());
            SampleResult result = pipeline.sample(SampleRequest.of("a tree"));
            assertEquals(50, result.used().get("steps"));
            assertEquals(7.5, result.used().get("guidanceScale"));
            assertEquals("PNDMScheduler", result.used().get("sampler"));
            assertEquals(16, result.used().get("width")); // 8 latents of 2 pixels
        }
    }

    /** Published checkpoints have a safety checker, which nothing here runs. */
    @Test
    void aSafetyCheckerIsPassedOver() throws IOException {
        Path model =
                edited(
                        "sd15",
                        "model_index.json",
                        index -> {
                            index.putArray("safety_checker")
                                    .add("stable_diffusion")
                                    .add("StableDiffusionSafetyChecker");
                            index.putArray("feature_extractor")
                                    .add("transformers")
                                    .add("CLIPImageProcessor");
                        });
        Files.createDirectories(model.resolve("safety_checker"));
        try (var pipeline = Pipeline.load(model, PipelineOptions.defaults())) {
            assertEquals(List.of(), pipeline.warnings());
        }
    }

    @Test
    void requestsThatItDoesNotTakeAreRefused() throws IOException {
        try (var pipeline =
                Pipeline.load(Cases.named("sd15").resolve("model"), PipelineOptions.defaults())) {
            assertRefused(pipeline, SampleRequest.builder().maxTokens(78), "at most 77 tokens");
            assertRefused(pipeline, SampleRequest.builder().clipSkip(2), "2 layers, of which 2");
            assertRefused(pipeline, SampleRequest.builder().secondPrompt("a"), "one text encoder");
            var size = SizeCondition.of(new Size(16, 16));
            assertRefused(
                    pipeline, SampleRequest.builder().sizes(size), "is not conditioned on sizes");
            assertRefused(pipeline, SampleRequest.builder().eta(0.5), "this sampler takes no eta");
            assertRefused(
                    pipeline,
                    SampleRequest.builder().secondNegativePrompt("a".repeat(10_001)),
                    "can't take that");
            assertRefused(pipeline, SampleRequest.builder().width(17), "multiples of 2");
            assertRefused(
                    pipeline,
                    SampleRequest.builder().prompt(null).classes(List.of("1")),
                    "takes a prompt, not a class");
        }
    }

    private static void assertRefused(
            Pipeline pipeline, SampleRequest.Builder request, String reason) {
        if (!reason.contains("class")) {
            request.prompt("a tree");
        }
        var refused =
                assertThrows(
                        PipelineException.class, () -> pipeline.sample(request.steps(1).build()));
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }

    @Test
    void aTextEncoderOfAnotherWidthIsRefused() throws IOException {
        Path model =
                edited(
                        "sd15",
                        "unet/config.json",
                        config -> config.put("cross_attention_dim", 768));
        assertRefused(model, "the text encoder is 8 wide, the U-Net takes a text of width 768");
    }

    @Test
    void anAutoencoderWithOtherLatentsIsRefused() throws IOException {
        Path model = edited("sd15", "vae/config.json", config -> config.put("latent_channels", 16));
        assertRefused(
                model,
                "the autoencoder's latents have 16 channels, the network takes 4 and gives 4");
    }

    @Test
    void aTokenizerWithMoreTokensIsRefused() throws IOException {
        Path model =
                edited("sd15", "text_encoder/config.json", config -> config.put("vocab_size", 500));
        assertRefused(model, "the tokenizer has 600 tokens, the text encoder only 500");
    }

    @Test
    void aNetworkThatIsShownSomethingElseIsRefused() throws IOException {
        Path model = edited("sd15", "unet/config.json", config -> config.put("in_channels", 8));
        assertRefused(model, "the U-Net takes 8 channels and gives 4");
    }

    // ---- XL ----

    @Test
    void xlIsRefusedWithoutItsSecondEncoder() throws IOException {
        Path model =
                edited(
                        "sdxl",
                        "model_index.json",
                        index -> index.putArray("text_encoder_2").addNull().addNull());
        assertRefused(
                model,
                "model_index.json names no text_encoder_2, which StableDiffusionXLPipeline needs");
    }

    @Test
    void xlIsRefusedWithANetworkOfTheOtherFamily() throws IOException {
        Path model =
                edited(
                        "sdxl",
                        "unet/config.json",
                        config ->
                                config.putNull("addition_time_embed_dim")
                                        .putNull("projection_class_embeddings_input_dim")
                                        .putNull("addition_embed_type"));
        assertRefused(model, "the U-Net is not of Stable Diffusion XL");
    }

    @Test
    void theNetworkOfXlIsRefusedElsewhere() throws IOException {
        Path model =
                edited(
                        "sdxl",
                        "model_index.json",
                        index -> index.put("_class_name", "StableDiffusionPipeline"));
        edit(model.resolve("unet/config.json"), config -> config.put("cross_attention_dim", 4));
        assertRefused(model, "the U-Net is of Stable Diffusion XL");
    }

    @Test
    void encodersOfAnotherXlAreRefused() throws IOException {
        Path model =
                edited(
                        "sdxl",
                        "unet/config.json",
                        config -> config.put("cross_attention_dim", 2048));
        assertRefused(
                model,
                "the text encoders together are 8 wide, the U-Net takes a text of width 2048");
        edit(
                model.resolve("unet/config.json"),
                config ->
                        config.put("cross_attention_dim", 8)
                                .put("projection_class_embeddings_input_dim", 31));
        assertRefused(model, "6 wide, which makes 30 with the sizes, but the U-Net takes 31");
    }

    /** No negative prompt is zeros, unless the checkpoint says that it is the empty text. */
    @Test
    void whatNoNegativePromptIsTheCheckpointSays() throws IOException {
        Path ours = Cases.named("sdxl").resolve("model");
        Path texts =
                edited(
                        "sdxl",
                        "model_index.json",
                        index -> index.put("force_zeros_for_empty_prompt", false));
        var zeros = picture(ours, null);
        var empty = picture(ours, "");
        assertArrayEquals(empty, picture(texts, null));
        assertFalse(Arrays.equals(zeros, empty));
    }

    private static byte[] picture(Path model, String negative) {
        try (var pipeline = Pipeline.load(model, PipelineOptions.defaults())) {
            assertEquals(List.of(), pipeline.warnings());
            var request = SampleRequest.builder().prompt("a tree").negativePrompt(negative);
            return pipeline.sample(request.steps(1).build()).pictures().getFirst().rgb();
        }
    }

    @Test
    void theDefaultsOfXlAreThoseOfDiffusers() throws IOException {
        try (var pipeline =
                Pipeline.load(Cases.named("sdxl").resolve("model"), PipelineOptions.defaults())) {
            var result = pipeline.sample(SampleRequest.builder().prompt("a").end(0.1).build());
            assertEquals(50, result.used().get("steps"));
            assertEquals(5.0, result.used().get("guidanceScale"));
            assertRefused(pipeline, SampleRequest.builder().end(1e-6), "no step begins");
        }
    }

    /** Several pictures of one prompt are those that each seed makes alone. */
    @Test
    void aBatchOfXlIsItsPictures() throws IOException {
        try (var pipeline =
                Pipeline.load(Cases.named("sdxl").resolve("model"), PipelineOptions.defaults())) {
            var request = SampleRequest.builder().prompt("a tree").steps(2).seed(4);
            var pictures = pipeline.sample(request.batch(2).build()).pictures();
            var alone = pipeline.sample(request.batch(1).seed(5).build()).pictures().getFirst();
            byte[] expected = alone.rgb();
            byte[] actual = pictures.get(1).rgb();
            for (int i = 0; i < expected.length; i++) {
                assertEquals(expected[i] & 255, actual[i] & 255, 1, "byte " + i);
            }
        }
    }

    /** In float16 the autoencoder overflows unless its config says otherwise; bfloat16 does not. */
    @Test
    void theAutoencoderOfXlStaysInFloat32WhereFloat16Overflows() throws IOException {
        Path ours = Cases.named("sdxl").resolve("model");
        Path mended =
                edited("sdxl", "vae/config.json", config -> config.put("force_upcast", false));
        assertEquals("float32", sampledIn(ours, DType.FLOAT16).get("vaeDtype"));
        assertEquals("float16", sampledIn(mended, DType.FLOAT16).get("vaeDtype"));
        assertEquals("bfloat16", sampledIn(ours, DType.BFLOAT16).get("vaeDtype"));
    }

    private static Map<String, Object> sampledIn(Path model, DType dtype) {
        try (var pipeline = Pipeline.load(model, PipelineOptions.defaults().withDtype(dtype))) {
            var request = SampleRequest.builder().prompt("a tree").steps(2).build();
            return pipeline.sample(request).used();
        }
    }
}
