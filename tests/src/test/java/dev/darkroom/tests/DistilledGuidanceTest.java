package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
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
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A checkpoint whose network is conditioned on a distilled guidance, as latent consistency students
 * are.
 */
class DistilledGuidanceTest {
    private static final String WEIGHTS = "transformer/diffusion_pytorch_model.safetensors";

    @TempDir private Path folder;

    @BeforeEach
    void copy() throws IOException {
        student(folder);
    }

    private static Path model() {
        return Cases.named("pixart_lcm").resolve("model");
    }

    /** The case's model, conditioned on a guidance that does not matter. */
    static Path student(Path folder) throws IOException {
        Cases.copyModel("pixart_lcm", folder);
        Path config = folder.resolve("transformer/config.json");
        String json = Files.readString(config);
        Files.writeString(config, json.replaceFirst("\\{", "{\"time_cond_proj_dim\": 8,"));
        project(folder, 0);
        return folder;
    }

    /** The case's transformer with a projection of the guidance. */
    private static void project(Path folder, double size) throws IOException {
        try (var scope = TensorScope.open();
                var generator = new Generator(3);
                var file = Safetensors.open(model().resolve(WEIGHTS), LoadMode.READ)) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (String name : file.names()) {
                tensors.put(name, file.tensor(name));
            }
            tensors.put(
                    "adaln_single.emb.timestep_embedder.cond_proj.weight",
                    Tensor.randn(generator, 256, 8).times(size));
            SafetensorsWriter.write(folder.resolve(WEIGHTS), tensors, Map.of());
        }
    }

    /** A picture; nothing is left of the pipeline. */
    private static byte[] sample(Path checkpoint, double guidance) {
        var request =
                SampleRequest.builder()
                        .prompt("a red heart")
                        .width(16)
                        .height(16)
                        .maxTokens(24)
                        .binning(false)
                        .guidanceScale(guidance)
                        .build();
        long before = Memory.liveTensors();
        byte[] picture;
        try (var pipeline = Pipeline.load(checkpoint, PipelineOptions.defaults())) {
            picture = pipeline.sample(request).pictures().getFirst().rgb();
        }
        assertEquals(before, Memory.liveTensors());
        return picture;
    }

    @Test
    void theRequestsGuidanceSteersTheStudent() throws IOException {
        project(folder, 1);
        byte[] weak = sample(folder, 2);
        assertFalse(Arrays.equals(weak, sample(folder, 8)));
        assertArrayEquals(weak, sample(folder, 2));
    }

    /**
     * With a projection of zero any guidance is none: the network is conditioned on it, and the
     * sampler applies none.
     */
    @Test
    void nothingIsGuidedBesides() throws IOException {
        byte[] plain = sample(model(), 1);
        assertArrayEquals(plain, sample(folder, 1));
        assertArrayEquals(plain, sample(folder, 8));
        assertFalse(Arrays.equals(plain, sample(model(), 8)));
    }

    /** It has no estimate without the prompt. */
    @Test
    void isNotSampledByCfgPlusPlus() throws IOException {
        var request = SampleRequest.builder().prompt("a red heart").sampler("euler-cfg++").build();
        try (var pipeline = Pipeline.load(folder, PipelineOptions.defaults())) {
            var refused = assertThrows(PipelineException.class, () -> pipeline.sample(request));
            assertTrue(
                    refused.getMessage().contains("takes the weight of the guidance as an input"),
                    refused.getMessage());
        }
    }
}
