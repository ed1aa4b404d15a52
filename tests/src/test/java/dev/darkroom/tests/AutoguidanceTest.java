package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.diffusion.guidance.NamedGuidance;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiFunction;

/** Guidance away from a weaker checkpoint of the same model. */
class AutoguidanceTest {
    private static final String WEIGHTS = "unet/diffusion_pytorch_model.safetensors";
    private static final String SCHEDULER = "scheduler/scheduler_config.json";

    /** The case's model, with a network that is perturbed. */
    @TempDir private static Path weaker;

    private static Pipeline alone;
    private static Pipeline guided;

    @BeforeAll
    static void load() throws IOException {
        Cases.copyModel("sd15", weaker);
        perturb(weaker.resolve(WEIGHTS));
        alone = Pipeline.load(model(), PipelineOptions.defaults());
        guided = Pipeline.load(model(), guidedBy(weaker));
    }

    @AfterAll
    static void close() {
        alone.close();
        guided.close();
    }

    private static Path model() throws IOException {
        return Path.of(Cases.model("sd15"));
    }

    private static PipelineOptions guidedBy(Path weaker) {
        return PipelineOptions.defaults().withAutoGuidance(weaker.toString());
    }

    private static void perturb(Path weights) throws IOException {
        try (var generator = new Generator(5)) {
            change(
                    weights,
                    (name, tensor) ->
                            tensor.plus(Tensor.randn(generator, tensor.shape().toArray()), 0.02));
        }
    }

    private static void change(Path weights, BiFunction<String, Tensor, Tensor> change)
            throws IOException {
        try (var scope = TensorScope.open();
                var file = Safetensors.open(weights, LoadMode.READ)) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (String name : file.names()) {
                tensors.put(name, change.apply(name, file.tensor(name).to(DType.FLOAT32)));
            }
            SafetensorsWriter.write(weights, tensors, Map.of());
        }
    }

    private static SampleRequest.Builder request(double scale) {
        return SampleRequest.builder()
                .prompt("a red heart")
                .guidanceScale(scale)
                .sampler("euler")
                .steps(3)
                .width(32)
                .height(32)
                .batch(2);
    }

    private static byte[] rgb(SampleResult result) {
        return result.pictures().getLast().rgb();
    }

    private static byte[] sampled(Pipeline pipeline, double scale, String guidance) {
        return rgb(pipeline.sample(request(scale).guidance(NamedGuidance.parse(guidance)).build()));
    }

    /** The estimate of the first step, where all begin with the same noise. */
    private static Tensor estimate(Pipeline pipeline, SampleRequest request) {
        Tensor[] first = new Tensor[1];
        pipeline.sample(
                request,
                new SampleMonitor() {
                    @Override
                    public void evaluated(int done, int of, Tensor latents, Tensor denoised) {
                        if (first[0] == null) {
                            first[0] = TensorScope.detach(denoised.copy());
                        }
                    }
                });
        return first[0];
    }

    /** The paper's D = w·D1 + (1 − w)·D0, where both see the same prompt. */
    @Test
    void leadsAwayFromWhatTheWeakerModelMakesOfThePrompt() {
        try (var scope = TensorScope.open();
                var worse = Pipeline.load(weaker, PipelineOptions.defaults())) {
            Tensor strong = estimate(alone, request(1).build());
            Tensor weak = estimate(worse, request(1).build());
            double apart = strong.minus(weak).abs().max().item();
            assertTrue(apart > 1e-3, "the weaker model is the same: " + apart);
            for (double scale : new double[] {1.5, 3}) {
                Tensor expected = strong.times(scale).plus(weak, 1 - scale);
                Tensor actual = estimate(guided, request(scale).build());
                double size = expected.abs().max().item();
                assertEquals(0, actual.minus(expected).abs().max().item() / size, 1e-6);
                actual.close();
            }
            strong.close();
            weak.close();
        }
    }

    @Test
    void withoutGuidanceNothingChanges() {
        SampleResult plain = alone.sample(request(1).build());
        SampleResult result = guided.sample(request(1).build());
        assertArrayEquals(rgb(plain), rgb(result));
        assertNull(result.used().get("autoGuidance"));
        assertArrayEquals(rgb(plain), sampled(guided, 3, "cfg:from=1e8,to=1e9"));
        assertArrayEquals(rgb(plain), sampled(guided, 3, "cfg:stop=0"));
    }

    /** There is nothing to lead away from, whatever the weight. */
    @Test
    void aModelDoesNotGuideItself() throws IOException {
        byte[] plain = rgb(alone.sample(request(1).build()));
        try (var self = Pipeline.load(model(), guidedBy(model()))) {
            byte[] result = rgb(self.sample(request(3).build()));
            for (int i = 0; i < plain.length; i++) {
                assertEquals(plain[i] & 0xff, result[i] & 0xff, 1);
            }
        }
    }

    @Test
    void composesWithTheKindsOfGuidance() {
        long live = Memory.liveTensors();
        byte[] plain = sampled(guided, 3, "cfg");
        assertFalse(Arrays.equals(plain, sampled(alone, 3, "cfg")));
        assertArrayEquals(plain, rgb(guided.sample(request(3).build())));
        for (String neutral :
                new String[] {
                    "cfg:rescale=0", "apg:eta=1,momentum=0,threshold=0", "fdg:low=3", "pag:weight=0"
                }) {
            assertArrayEquals(plain, sampled(guided, 3, neutral), neutral);
        }
        for (String other :
                new String[] {
                    "cfg:rescale=0.7",
                    "cfg:from=1,to=9",
                    "cfg:stop=0.5",
                    "zero-star",
                    "apg",
                    "tcfg",
                    "fdg:low=1.5",
                    "slg:start=0,stop=1",
                    "pag",
                    "seg"
                }) {
            assertFalse(Arrays.equals(plain, sampled(guided, 3, other)), other);
        }
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void aPicturesRecipeNamesIt() throws IOException {
        String name = String.valueOf(weaker.getFileName());
        assertEquals(name, guided.sample(request(3).build()).used().get("autoGuidance"));
        assertTrue(String.valueOf(guided.describe().get("autoGuidance")).contains(name));
        var hashes = guided.hashWeights();
        assertEquals(alone.hashWeights().get(WEIGHTS), hashes.get(WEIGHTS));
        assertFalse(hashes.get(WEIGHTS).equals(hashes.get("autoGuidance/" + WEIGHTS)));
    }

    @Test
    void takesTurnsInMemoryToo() throws IOException {
        byte[] plain = rgb(guided.sample(request(3).build()));
        long live = Memory.liveTensors();
        try (var turns = Pipeline.load(model(), guidedBy(weaker).withOffload(Offload.ON))) {
            assertArrayEquals(plain, rgb(turns.sample(request(3).build())));
            assertEquals(live, Memory.liveTensors());
        }
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void refusesWhatItCanNotLeadAwayFromBesides() {
        assertRefused("perp-neg", request(3).guidance(NamedGuidance.parse("perp-neg")));
        assertRefused("negative prompt", request(3).negativePrompt("blue"));
    }

    private static void assertRefused(String part, SampleRequest.Builder request) {
        var refused = assertThrows(PipelineException.class, () -> guided.sample(request.build()));
        assertTrue(refused.getMessage().contains(part), refused.getMessage());
    }

    @Test
    void refusesAnotherKindOfModel(@TempDir Path folder) throws IOException {
        assertNoGuide("family dit, and the model of stablediffusion", named("dit"));
        assertNoGuide("family stablediffusionxl", named("sdxl"));
        assertNoGuide("channels that its network is shown: 5", inpainting(folder));
        assertNoGuide("no model folder", folder.resolve("none"));
        Path other = Cases.copyModel("sd15", folder.resolve("other"));
        String scheduler = Files.readString(other.resolve(SCHEDULER));
        Files.writeString(
                other.resolve(SCHEDULER), scheduler.replace("\"epsilon\"", "\"v_prediction\""));
        assertNoGuide("prediction: V_PREDICTION, where the model has EPSILON", other);
        Files.writeString(other.resolve(SCHEDULER), scheduler.replace("0.012", "0.02"));
        assertNoGuide("noise schedule: ᾱ = ", other);
        Files.writeString(other.resolve(SCHEDULER), scheduler.replace(": 1000", ": 500"));
        assertNoGuide("training timesteps: 500, where the model has 1000", other);
        assertThrows(
                IllegalArgumentException.class,
                () -> PipelineOptions.defaults().withAutoGuidance(" "));
    }

    private static Path named(String name) {
        return Cases.named(name).resolve("model");
    }

    /** A network of nine channels. */
    private static Path inpainting(Path folder) throws IOException {
        Path model = Cases.copyModel("sd15", folder.resolve("inpainting"));
        Path config = model.resolve("unet/config.json");
        Files.writeString(
                config,
                Files.readString(config).replace("\"in_channels\": 4", "\"in_channels\": 9"));
        change(
                model.resolve(WEIGHTS),
                (name, tensor) ->
                        name.equals("conv_in.weight")
                                ? Ops.cat(1, tensor, tensor, tensor.narrow(1, 0, 1))
                                : tensor);
        return model;
    }

    private static void assertNoGuide(String part, Path weaker) {
        long live = Memory.liveTensors();
        var refused =
                assertThrows(
                        PipelineException.class, () -> Pipeline.load(model(), guidedBy(weaker)));
        assertTrue(refused.getMessage().contains(part), refused.getMessage());
        assertEquals(live, Memory.liveTensors());
    }

    /** A network that takes the weight as an input is not guided, and guides none. */
    @Test
    void refusesNetworksThatTakeTheGuidance(@TempDir Path folder) throws IOException {
        Path student = DistilledGuidanceTest.student(folder);
        for (Path[] pair :
                new Path[][] {{student, named("pixart_lcm")}, {named("pixart_lcm"), student}}) {
            var refused =
                    assertThrows(
                            PipelineException.class,
                            () -> Pipeline.load(pair[0], guidedBy(pair[1])));
            assertTrue(
                    refused.getMessage().contains("takes the weight of the guidance as an input"),
                    refused.getMessage());
        }
    }
}
