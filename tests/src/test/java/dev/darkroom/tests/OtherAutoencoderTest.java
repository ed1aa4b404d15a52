package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.plan.Plan;
import dev.darkroom.models.vae.AutoencoderTiny;
import dev.darkroom.models.vae.AutoencoderTinyConfig;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Pictures by another autoencoder than the checkpoint's, and previews by a tiny one. */
class OtherAutoencoderTest {
    private static final String TINY =
            """
            {"_class_name": "AutoencoderTiny", "encoder_block_out_channels": [4, 4],
             "num_encoder_blocks": [1, 1], "decoder_block_out_channels": [4, 4],
             "num_decoder_blocks": [1, 1]}
            """;

    @TempDir private Path folder;
    private Path model;

    @BeforeEach
    void copy() throws IOException {
        model = Cases.copyModel("sd15", folder.resolve("model"));
    }

    private static void writeTiny(Path folder, String json) throws IOException {
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("config.json"), json);
        AutoencoderTinyConfig config =
                AutoencoderTinyConfig.read(folder.resolve("config.json"), Warnings.collected());
        try (var scope = TensorScope.open()) {
            var weights = Golden.formula(Weights.declared(w -> new AutoencoderTiny(w, config)));
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (String key : weights.keys()) {
                tensors.put(key, weights.read(key));
            }
            SafetensorsWriter.write(
                    folder.resolve("diffusion_pytorch_model.safetensors"), tensors, Map.of());
        }
    }

    private static PipelineOptions with(String vae) {
        return PipelineOptions.defaults().withVae(vae);
    }

    private static SampleRequest tree() {
        return SampleRequest.builder().prompt("a tree").steps(2).seed(1).build();
    }

    private byte[] picture(String vae) {
        try (var pipeline = Pipeline.load(model, with(vae))) {
            assertEquals(List.of(), pipeline.warnings());
            return pipeline.sample(tree()).pictures().getFirst().rgb();
        }
    }

    @Test
    void aTinyOneDecodesWhereverItLies() throws IOException {
        long before = Memory.liveTensors();
        byte[] own = picture(null);
        writeTiny(model.resolve("vae_tiny"), TINY);
        assertArrayEquals(own, picture(null), "it makes previews alone unless it is asked for");
        byte[] tiny = picture("tiny");
        assertFalse(Arrays.equals(own, tiny));
        Path elsewhere = folder.resolve("taesd");
        writeTiny(elsewhere, TINY);
        assertArrayEquals(tiny, picture(elsewhere.toString()));
        writeTiny(folder.resolve("other/vae"), TINY);
        assertArrayEquals(tiny, picture(folder.resolve("other").toString()));
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void onePartOfTheClassIsLoaded() throws IOException {
        writeTiny(model.resolve("vae_tiny"), TINY);
        byte[] tiny = picture("tiny");
        Path vae = model.resolve("vae");
        Files.delete(vae.resolve("diffusion_pytorch_model.safetensors"));
        writeTiny(vae, TINY);
        Path index = model.resolve("model_index.json");
        Files.writeString(
                index, Files.readString(index).replace("AutoencoderKL", "AutoencoderTiny"));
        assertArrayEquals(tiny, picture(null));
    }

    /** The autoencoder of another checkpoint, such as one that does not overflow in float16. */
    @Test
    void anotherOfTheSameKindTakesItsPlace() throws IOException {
        byte[] own = picture(null);
        Path copy = folder.resolve("fix");
        Files.move(model.resolve("vae"), copy);
        assertArrayEquals(own, picture(copy.toString()));
        try (var pipeline = Pipeline.load(model, with(copy.toString()))) {
            Map<String, String> hashes = pipeline.hashWeights();
            assertTrue(
                    hashes.containsKey("diffusion_pytorch_model.safetensors"), hashes.toString());
        }
    }

    @Test
    void previewsAreOfTheTinyOne() throws IOException {
        writeTiny(model.resolve("vae_tiny"), TINY);
        var previews = new Picture[2];
        for (int i = 0; i < 2; i++) {
            int at = i;
            long before = Memory.liveTensors();
            try (var pipeline = Pipeline.load(model, with(i == 0 ? null : "tiny"))) {
                pipeline.sample(
                        tree(),
                        new SampleMonitor() {
                            @Override
                            public void evaluated(
                                    int done, int total, Tensor latents, Tensor denoised) {
                                previews[at] = pipeline.preview(denoised).getFirst();
                                Picture quick = pipeline.quickPreview(denoised).getFirst();
                                assertArrayEquals(previews[at].rgb(), quick.rgb());
                            }
                        });
            }
            assertEquals(before, Memory.liveTensors());
        }
        assertArrayEquals(previews[1].rgb(), previews[0].rgb());
    }

    private void assertRefused(String vae, String reason) {
        var refused =
                assertThrows(
                        PipelineException.class, () -> Pipeline.load(model, with(vae)).close());
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }

    @Test
    void whatIsNoAutoencoderIsRefused() throws IOException {
        assertRefused("tiny", "has no folder vae_tiny with a tiny autoencoder; name another");
        assertRefused(model.resolve("unet").toString(), "describes a UNet2DConditionModel");
        assertRefused(folder.toString(), "has no config.json");
        assertRefused(folder.resolve("nowhere").toString(), "there is no model folder");
        Path file = model.resolve("vae/diffusion_pytorch_model.safetensors");
        assertRefused(file.toString(), "not the single file");
        writeTiny(
                model.resolve("vae_tiny"),
                TINY.replace("{\"_class", "{\"latent_channels\": 16, \"_class"));
        assertRefused("tiny", "the autoencoder's latents have 16 channels");
        assertRefused(null, "it is of another model");
        String larger = TINY.replace("[4, 4]", "[4, 4, 4]").replace("[1, 1]", "[1, 1, 1]");
        writeTiny(model.resolve("vae_tiny"), larger);
        String size = "stands for 4×4 pixels, in the checkpoint's autoencoder for 2×2";
        assertRefused("tiny", size);
        assertRefused(null, size);
        Files.delete(model.resolve("vae_tiny/diffusion_pytorch_model.safetensors"));
        Files.writeString(model.resolve("vae_tiny/config.json"), TINY);
        assertRefused("tiny", "vae_tiny");
    }

    @Test
    void plansAreOfIt() throws Exception {
        writeTiny(model.resolve("vae_tiny"), TINY);
        Plan.of(model, with("tiny"), SampleRequest.builder().steps(1).build());
        assertThrows(
                IOException.class,
                () -> Plan.of(model, with(folder.toString()), SampleRequest.builder().build()));
    }
}
