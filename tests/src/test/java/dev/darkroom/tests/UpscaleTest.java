package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.models.plan.Plan;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * Pictures that are made larger. The upscaler of the case makes them twice as large, not four
 * times.
 */
class UpscaleTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path MODEL = Path.of("cases", "sd_upscale", "model");

    @TempDir private Path folder;

    private static Pipeline open(Path model) {
        return Pipeline.load(model, PipelineOptions.defaults());
    }

    private static Image picture(int height, int width) {
        var values = new float[3 * height * width];
        for (int i = 0; i < values.length; i++) {
            values[i] = i * 37 % 101 / 100f;
        }
        return new Image(3, height, width, values);
    }

    private static SampleRequest.Builder request(int height, int width, Integer noiseLevel) {
        return request(new Edit(picture(height, width), null, null, noiseLevel));
    }

    private static SampleRequest.Builder request(Edit edit) {
        return SampleRequest.builder().prompt("a tree").steps(1).seed(3).edit(edit);
    }

    private static Size size(SampleResult result) {
        return result.pictures().getFirst().image().size();
    }

    private static void assertRefused(Pipeline pipeline, SampleRequest request, String reason) {
        var refused = assertThrows(PipelineException.class, () -> pipeline.sample(request));
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }

    private Path changed(String file, Consumer<ObjectNode> change) throws IOException {
        Cases.copyModel("sd_upscale", folder);
        edit(folder.resolve(file), change);
        return folder;
    }

    private static void edit(Path file, Consumer<ObjectNode> change) throws IOException {
        var json = (ObjectNode) JSON.readTree(file.toFile());
        change.accept(json);
        JSON.writeValue(file.toFile(), json);
    }

    @Test
    void theResultIsSoManyTimesAsLarge() {
        long before = Memory.liveTensors();
        try (var pipeline = open(MODEL)) {
            SampleResult result = pipeline.sample(request(9, 13, null).build());
            assertEquals(new Size(16, 24), size(result)); // of 8×12, what is left over is scaled
            assertEquals(20, result.used().get("noiseLevel"));
            assertFalse(result.used().containsKey("strength"));
            assertEquals(9.0, result.used().get("guidanceScale"));
            assertEquals(
                    new Size(8, 12),
                    size(pipeline.sample(request(9, 13, null).width(12).height(8).build())));
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void stepsAreDiffusersWhereNothingIsSaid() {
        try (var pipeline = open(MODEL)) {
            SampleResult result = pipeline.sample(request(4, 4, null).steps(null).build());
            assertEquals(75, result.used().get("steps"));
        }
    }

    @Test
    void theNoiseLevelChangesThePicture() {
        try (var pipeline = open(MODEL)) {
            byte[] own = rgb(pipeline, request(8, 8, null));
            assertArrayEquals(own, rgb(pipeline, request(8, 8, 20)));
            assertFalse(Arrays.equals(own, rgb(pipeline, request(8, 8, 0))));
        }
    }

    private static byte[] rgb(Pipeline pipeline, SampleRequest.Builder request) {
        return pipeline.sample(request.build()).pictures().getFirst().rgb();
    }

    /** Each picture of a batch is the one that it is alone. */
    @Test
    void aBatchMakesThePicturesOfItsSeeds() {
        try (var pipeline = open(MODEL)) {
            var second = pipeline.sample(request(8, 8, 5).batch(2).build()).pictures().getLast();
            byte[] alone = rgb(pipeline, request(8, 8, 5).seed(4));
            for (int i = 0; i < alone.length; i++) { // products of other sizes round apart
                assertEquals(alone[i] & 0xff, second.rgb()[i] & 0xff, 1);
            }
        }
    }

    /** The latents may be given, as in diffusers, since the picture is no start. */
    @Test
    void latentsMayBeGivenToo() {
        try (var scope = TensorScope.open();
                var pipeline = open(MODEL)) {
            Tensor start = Tensor.zeros(Shape.of(1, 4, 8, 8), DType.FLOAT32, Device.CPU);
            var request = request(8, 8, null).build();
            SampleResult result = pipeline.sample(request, SampleMonitor.NONE, start);
            assertEquals(new Size(16, 16), size(result));
        }
    }

    @Test
    void whatDoesNotGoTogetherIsRefused() {
        try (var pipeline = open(MODEL)) {
            assertRefused(
                    pipeline,
                    SampleRequest.of("a tree"),
                    "makes a picture larger: give it the picture (--init)");
            assertRefused(
                    pipeline,
                    request(8, 8, 51).build(),
                    "the level of noise must be 0 to 50 for this checkpoint, not 51");
            Image small = picture(8, 8);
            assertRefused(
                    pipeline, request(new Edit(small, null, 0.5)).build(), "leave the mask and");
            var mask = new Image(1, 8, 8, new float[64]);
            assertRefused(pipeline, request(new Edit(small, mask)).build(), "leave the mask and");
            assertRefused(
                    pipeline,
                    request(8, 8, null).width(10).height(8).build(),
                    "multiples of 4 for this checkpoint, not 10×8");
            assertRefused(pipeline, request(8, 8, null).start(0.5).build(), "needs latents");
            var inverted = request(new Edit(small, null, 1)).steps(2).build();
            var refused =
                    assertThrows(
                            PipelineException.class,
                            () -> pipeline.invert(inverted, 1, SampleMonitor.NONE));
            assertTrue(refused.getMessage().contains("can't be inverted"), refused.getMessage());
        }
        try (var pipeline = open(Cases.named("sd15").resolve("model"))) {
            assertRefused(pipeline, request(8, 8, 20).build(), "it is no upscaler");
        }
        assertThrows(IllegalArgumentException.class, () -> request(8, 8, -1));
    }

    @Test
    void aPictureThatWouldBeHugeIsRefused() {
        try (var pipeline = open(MODEL)) {
            assertRefused(pipeline, request(2, 9000, null).build(), "8 to 16384 pixels, not 18000");
        }
    }

    @ParameterizedTest
    @CsvSource(
            value = {
                "model_index.json; max_noise_level; 64; the U-Net knows 64 levels of noise",
                "model_index.json; low_res_scheduler; null; names no low_res_scheduler",
                "unet/config.json; num_class_embeds; null; told a level of noise",
                "model_index.json; _class_name; \"StableDiffusionPipeline\"; is shown nothing, or",
            },
            delimiter = ';')
    void partsThatDoNotFitAreRefused(String file, String option, String value, String reason)
            throws IOException {
        var given = JSON.readTree(value);
        Path model = changed(file, json -> json.set(option, given));
        var refused = assertThrows(PipelineException.class, () -> open(model));
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }

    /**
     * The first that were published have no factor in their config, and diffusers has one alone.
     */
    @Test
    void theAutoencodersFactorIsTheUpscalers() throws IOException {
        byte[] expected;
        try (var pipeline = open(MODEL)) {
            expected = rgb(pipeline, request(8, 8, null));
            assertEquals(List.of(), pipeline.warnings());
        }
        Path model = changed("vae/config.json", config -> config.remove("scaling_factor"));
        try (var pipeline = open(model)) {
            assertArrayEquals(expected, rgb(pipeline, request(8, 8, null)));
            assertEquals(List.of(), pipeline.warnings());
        }
        edit(model.resolve("vae/config.json"), config -> config.put("scaling_factor", 0.18215));
        try (var pipeline = open(model)) {
            assertArrayEquals(expected, rgb(pipeline, request(8, 8, null)));
            String warning = String.join("\n", pipeline.warnings());
            assertTrue(warning.contains("scaling_factor is 0.18215; 0.08333 was taken"), warning);
        }
    }

    @Test
    void itIsPlanned() throws IOException {
        var request = SampleRequest.builder().steps(2).width(32).height(16).build();
        Plan plan = Plan.of(MODEL, PipelineOptions.defaults(), request);
        assertEquals(new Size(16, 32), Objects.requireNonNull(plan.run()).size());
        assertEquals(2, plan.run().evaluations());
        assertNull(request.inputs().edit());
    }
}
