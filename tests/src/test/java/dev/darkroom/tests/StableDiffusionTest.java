package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
    void anInpaintingNetworkIsRefused() throws IOException {
        Path model = edited("sd15", "unet/config.json", config -> config.put("in_channels", 9));
        assertRefused(model, "the U-Net takes 9 channels and gives 4");
    }
}
