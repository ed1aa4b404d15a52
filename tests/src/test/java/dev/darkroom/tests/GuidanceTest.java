package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.guidance.CfgPlusPlus;
import dev.darkroom.models.diffusion.guidance.GuidanceKind;
import dev.darkroom.models.diffusion.guidance.NamedGuidance;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Guidances by their names, from a request to a picture. */
class GuidanceTest {
    private static Pipeline pipeline;

    @BeforeAll
    static void load() throws IOException {
        Path model = Path.of("cases", "sd15", "model").toRealPath();
        pipeline = Pipeline.load(model, PipelineOptions.defaults());
    }

    @AfterAll
    static void close() {
        pipeline.close();
    }

    private static SampleRequest.Builder request() {
        return SampleRequest.builder()
                .prompt("a red heart")
                .negativePrompt("blue")
                .guidanceScale(3)
                .steps(3)
                .width(32)
                .height(32);
    }

    private static SampleResult sampled(String guidance) {
        return pipeline.sample(request().guidance(NamedGuidance.parse(guidance)).build());
    }

    private static byte[] rgb(SampleResult result) {
        return result.pictures().getFirst().rgb();
    }

    @Test
    void neutralSettingsLeaveThePicturesBytes() {
        SampleResult plain = pipeline.sample(request().build());
        assertNull(plain.used().get("guidance"));
        for (String neutral :
                new String[] {
                    "cfg", "apg:eta=1,momentum=0,threshold=0", "fdg:low=3", "pag:weight=0"
                }) {
            SampleResult result = sampled(neutral);
            assertArrayEquals(rgb(plain), rgb(result), neutral);
            assertEquals(3.0, result.used().get("guidanceScale"));
        }
    }

    @Test
    void eachKindMakesAnotherPictureAndLeavesNoTensor() {
        byte[] plain = rgb(pipeline.sample(request().build()));
        long live = Memory.liveTensors();
        for (GuidanceKind kind : GuidanceKind.values()) {
            if (kind == GuidanceKind.CFG) {
                continue;
            }
            String text = kind == GuidanceKind.SLG ? "slg:stop=1" : kind.id();
            SampleResult result = sampled(text);
            assertFalse(Arrays.equals(plain, rgb(result)), text);
            assertEquals(text, result.used().get("guidance"));
            assertArrayEquals(rgb(result), rgb(sampled(text)), text + " again");
        }
        assertEquals(live, Memory.liveTensors());
    }

    /** Its weight is λ, which the checkpoint's own is not; a kind that is named has its own. */
    @Test
    void samplersOfCfgPlusPlusHaveWeightsFromZeroToOne() {
        long live = Memory.liveTensors();
        var request = request().sampler("euler-cfg++");
        SampleResult open = pipeline.sample(request.guidanceScale(null).build());
        assertEquals(CfgPlusPlus.LAMBDA, open.used().get("guidanceScale"));
        SampleResult named = pipeline.sample(request.guidanceScale(0.6).build());
        assertArrayEquals(rgb(open), rgb(named));
        List<byte[]> pictures = new ArrayList<>(List.of(rgb(open)));
        for (double lambda : new double[] {0, 0.3, 1}) {
            pictures.add(rgb(pipeline.sample(request.guidanceScale(lambda).build())));
        }
        pictures.add(rgb(pipeline.sample(request.sampler("euler").build()))); // alone
        request.sampler("euler-cfg++").guidance(NamedGuidance.parse("cfg")).guidanceScale(1.5);
        pictures.add(rgb(pipeline.sample(request.build())));
        for (int i = 0; i < pictures.size(); i++) {
            for (int j = 0; j < i; j++) {
                assertFalse(Arrays.equals(pictures.get(i), pictures.get(j)), i + " and " + j);
            }
        }
        assertEquals(live, Memory.liveTensors());
        assertRefused("from 0 to 1, not 7.5", request().sampler("euler-cfg++").guidanceScale(7.5));
        assertRefused(
                "unconditional estimate", request().sampler("ddim-cfg++").guidance(Guidance.NONE));
        assertRefused("with a weight of 1.0 does not ask", request.guidanceScale(1));
    }

    private static void assertRefused(String part, SampleRequest.Builder request) {
        SampleRequest built = request.build();
        var refused = assertThrows(PipelineException.class, () -> pipeline.sample(built));
        assertTrue(refused.getMessage().contains(part), refused.getMessage());
    }

    /** Latents of diffusers' {@code StableDiffusionPAGPipeline} and {@code PixArtSigmaPAG…}. */
    @Test
    void perturbedAttentionEqualsDiffusers() throws IOException {
        Path file = Path.of("oracle", "guidance", "pag.safetensors");
        try (var expected = Safetensors.open(file, LoadMode.READ);
                var scope = TensorScope.open()) {
            assertEquals(4, expected.names().size());
            for (String name : expected.names()) {
                Tensor latents = expected.tensor(name);
                double difference = difference(latents, latents(name));
                System.out.printf("%s %.1e%n", name, difference);
                assertTrue(difference < 1e-5, name + " " + difference);
            }
        }
    }

    private static double difference(Tensor expected, Tensor actual) {
        return expected.minus(actual).abs().max().item() / expected.abs().max().item();
    }

    /**
     * The last latents of a case's call under perturbed-attention guidance of weight 3.
     *
     * @param name of the case, the layers and the guidance scale, such as {@code sd15 mid 3}
     */
    private static Tensor latents(String name) throws IOException {
        String[] parts = name.split(" ", -1);
        Path folder = Path.of("cases", parts[0]);
        JsonNode call = new ObjectMapper().readTree(folder.resolve("case.json").toFile());
        var request =
                SampleRequest.builder()
                        .prompt(call.get("prompt").textValue())
                        .negativePrompt(call.get("negative_prompt").textValue())
                        .steps(call.get("steps").intValue())
                        .guidanceScale(Double.parseDouble(parts[2]))
                        .guidance(NamedGuidance.parse("pag:weight=3,layers=" + parts[1]))
                        .height(call.get("height").intValue())
                        .width(call.get("width").intValue())
                        .binning(false);
        if (call.has("max_sequence_length")) {
            request.maxTokens(call.get("max_sequence_length").intValue());
        }
        Tensor[] last = new Tensor[1];
        var monitor =
                new SampleMonitor() {
                    @Override
                    public void evaluated(int done, int of, Tensor latents, Tensor denoised) {
                        last[0] = TensorScope.detach(latents.copy());
                    }
                };
        try (var model = Pipeline.load(folder.resolve("model").toRealPath());
                var start =
                        Safetensors.open(folder.resolve("expected.safetensors"), LoadMode.READ)) {
            model.sample(request.build(), monitor, start.tensor("latents_init"));
            return last[0];
        }
    }

    /** A transformer's blocks are perturbed as a U-Net's; queries that are hardly blurred stay. */
    @Test
    void transformersHaveTheSameBlocks() throws IOException {
        Path model = Path.of("cases", "dit", "model").toRealPath();
        try (var dit = Pipeline.load(model)) {
            byte[] plain = rgb(dit.sample(classes("cfg")));
            for (String each : List.of("slg:start=0,stop=1", "pag", "seg", "seg:blur=1")) {
                assertFalse(Arrays.equals(plain, rgb(dit.sample(classes(each)))), each);
            }
            byte[] sharp = rgb(dit.sample(classes("seg:blur=0.001")));
            for (int i = 0; i < plain.length; i++) {
                assertEquals(plain[i] & 0xff, sharp[i] & 0xff, 1);
            }
        }
    }

    private static SampleRequest classes(String guidance) {
        return SampleRequest.builder()
                .classes(List.of("1"))
                .guidance(NamedGuidance.parse(guidance))
                .guidanceScale(2)
                .steps(3)
                .build();
    }

    @Test
    void namesTheBlocksThatThereAre() {
        var wrong = assertThrows(PipelineException.class, () -> sampled("pag:layers=79"));
        assertTrue(wrong.getMessage().contains("no block '79'"), wrong.getMessage());
        assertTrue(wrong.getMessage().contains("mid_block"), wrong.getMessage());
    }
}
