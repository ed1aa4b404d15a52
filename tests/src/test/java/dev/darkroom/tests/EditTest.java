package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Pictures that are made from pictures, with the tiny checkpoints of the cases. */
class EditTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    private static Pipeline open(Path model) {
        return Pipeline.load(model, PipelineOptions.defaults());
    }

    private static Image flat(int channels, int height, int width, float value) {
        var values = new float[channels * height * width];
        Arrays.fill(values, value);
        return new Image(channels, height, width, values);
    }

    private static SampleRequest.Builder request(Edit edit) {
        return SampleRequest.builder().prompt("a tree").steps(4).seed(3).edit(edit);
    }

    private static Path changed(Path folder, String file, Consumer<ObjectNode> change)
            throws IOException {
        Cases.copyModel("sd15", folder);
        var json = (ObjectNode) JSON.readTree(folder.resolve(file).toFile());
        change.accept(json);
        JSON.writeValue(folder.resolve(file).toFile(), json);
        return folder;
    }

    private static void assertRefused(Pipeline pipeline, SampleRequest request, String reason) {
        var refused = assertThrows(PipelineException.class, () -> pipeline.sample(request));
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd15", "sdxl", "pixart_sigma", "pixart_lcm", "dit"})
    void everyFamilyWithAnEncoderStartsFromAPicture(String name) {
        long before = Memory.liveTensors();
        try (var pipeline = open(Cases.named(name).resolve("model"))) {
            var edit = new Edit(flat(3, 32, 32, 0.25f), null, 0.5);
            SampleRequest.Builder request =
                    SampleRequest.builder().steps(4).seed(3).edit(edit).guidanceScale(1.0);
            request = name.equals("dit") ? request.classes(List.of("1")) : request;
            request = name.equals("dit") ? request : request.prompt("a tree");
            SampleResult result = pipeline.sample(request.build());
            assertEquals(0.5, result.used().get("strength"));
            Picture again = pipeline.sample(request.build()).pictures().getFirst();
            assertArrayEquals(result.pictures().getFirst().rgb(), again.rgb());
        }
        assertEquals(before, Memory.liveTensors());
    }

    /** What diffusers' pipelines take for each: image-to-image, and inpainting. */
    @ParameterizedTest
    @CsvSource({
        "sd15, false, 0.8, 7.5",
        "sd15, true, 1.0, 7.5",
        "sdxl, false, 0.3, 5.0",
        "sdxl, true, 0.9999, 7.5",
        "pixart_sigma, false, 0.8, 4.5",
    })
    void strengthAndGuidanceAreThoseOfTheFamilyAndTheTask(
            String name, boolean masked, double strength, double guidance) {
        try (var pipeline = open(Cases.named(name).resolve("model"))) {
            Image mask = masked ? flat(1, 16, 16, 1) : null;
            var request = request(new Edit(flat(3, 16, 16, 0.5f), mask));
            SampleResult result = pipeline.sample(request.build());
            assertEquals(strength, result.used().get("strength"));
            assertEquals(guidance, result.used().get("guidanceScale"));
        }
    }

    @Test
    void theSizeIsThePicturesInWholeMultiples() {
        try (var pipeline = open(Cases.named("sd15").resolve("model"))) {
            var edit = new Edit(flat(3, 21, 33, 0.5f), null, 0.5);
            Picture nearest = pipeline.sample(request(edit).build()).pictures().getFirst();
            assertEquals("32×20", nearest.image().size().toString());
            Picture asked =
                    pipeline.sample(request(edit).width(24).height(16).build())
                            .pictures()
                            .getFirst();
            assertEquals("24×16", asked.image().size().toString());
        }
    }

    /** Each picture of a batch is the one that it is alone. */
    @Test
    void aBatchMakesThePicturesOfItsSeeds() {
        try (var pipeline = open(Cases.named("sd15").resolve("model"))) {
            var edit = new Edit(flat(3, 16, 16, 0.5f), flat(1, 16, 16, 1), 0.75);
            Picture second = pipeline.sample(request(edit).batch(2).build()).pictures().getLast();
            Picture alone = pipeline.sample(request(edit).seed(4).build()).pictures().getFirst();
            for (int i = 0; i < alone.rgb().length; i++) { // products of other sizes round apart
                assertEquals(alone.rgb()[i] & 0xff, second.rgb()[i] & 0xff, 1);
            }
        }
    }

    /** With an empty mask what comes out is the picture, as the autoencoder has it. */
    @Test
    void whatTheMaskLeavesIsKept() {
        try (var pipeline = open(Cases.named("sd15").resolve("model"))) {
            var monitor =
                    new SampleMonitor() {
                        private float[] encoded = {};
                        private float[] last = {};

                        @Override
                        public boolean traces() {
                            return true;
                        }

                        @Override
                        public void traced(String name, Tensor value) {
                            if (name.equals("encoded")) {
                                encoded = value.toFloatArray();
                            } else if (name.startsWith("latents_")) {
                                last = value.toFloatArray();
                            }
                        }
                    };
            var edit = new Edit(flat(3, 16, 16, 0.8f), flat(1, 16, 16, 0), 1);
            pipeline.sample(request(edit).build(), monitor);
            assertArrayEquals(monitor.encoded, monitor.last, 1e-6f);
        }
    }

    @Test
    void whatDoesNotGoTogetherIsRefused() {
        Image picture = flat(3, 16, 16, 0.5f);
        var size =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> new Edit(picture, flat(1, 8, 16, 1), 1));
        assertEquals(
                "the mask is 16×8, but the picture 16×16; make them the same size",
                size.getMessage());
        assertThrows(IllegalArgumentException.class, () -> new Edit(picture, null, 0));
        assertThrows(IllegalArgumentException.class, () -> new Edit(picture, picture, 1));
        assertThrows(IllegalArgumentException.class, () -> new Edit(flat(1, 2, 2, 0), null, 1));
        assertThrows(IllegalArgumentException.class, () -> flat(3, 2, 2, 1.5f));
        try (var scope = TensorScope.open();
                var pipeline = open(Cases.named("sd15").resolve("model"))) {
            var edit = new Edit(picture, null, 0.2);
            assertRefused(pipeline, request(edit).build(), "takes at least one of 4 steps");
            var late = request(edit).start(0.5).end(0.4);
            assertThrows(IllegalArgumentException.class, late::build);
            assertRefused(
                    pipeline,
                    SampleRequest.builder().prompt("a tree").start(0.5).build(),
                    "needs a picture, or latents");
            var given =
                    assertThrows(
                            PipelineException.class,
                            () ->
                                    pipeline.sample(
                                            request(new Edit(picture, null, 1)).build(),
                                            SampleMonitor.NONE,
                                            Tensor.zeros(
                                                    Shape.of(1, 4, 8, 8),
                                                    DType.FLOAT32,
                                                    Device.CPU)));
            assertTrue(given.getMessage().contains("not from both"), given.getMessage());
        }
    }

    /** Of a student that takes its guidance, the strength is less noise and not fewer steps. */
    @Test
    void aStudentTakesAllSteps(@TempDir Path folder) throws IOException {
        Path model =
                changed(folder, "unet/config.json", config -> config.put("time_cond_proj_dim", 8));
        change(
                model.resolve("unet/diffusion_pytorch_model.safetensors"),
                tensors -> {
                    long channels = tensors.get("conv_in.weight").size(0);
                    tensors.put(
                            "time_embedding.cond_proj.weight",
                            Tensor.zeros(Shape.of(channels, 8), DType.FLOAT32, Device.CPU));
                });
        try (var pipeline = open(model)) {
            var evaluations = new ArrayList<Integer>();
            var monitor =
                    new SampleMonitor() {
                        @Override
                        public void evaluated(int done, int total, Tensor latents, Tensor x0) {
                            evaluations.add(total);
                        }
                    };
            var request = request(new Edit(flat(3, 16, 16, 0.5f), null, 0.5));
            pipeline.sample(request.sampler("lcm").build(), monitor);
            assertEquals(List.of(4, 4, 4, 4), evaluations);
            evaluations.clear();
            pipeline.sample(request.sampler("euler").build(), monitor);
            assertEquals(List.of(2, 2), evaluations);
        }
    }

    private static void change(Path file, Consumer<Map<String, Tensor>> change) throws IOException {
        try (var scope = TensorScope.open();
                var weights = Safetensors.open(file, LoadMode.READ)) {
            var tensors = new LinkedHashMap<String, Tensor>();
            for (String name : weights.names()) {
                tensors.put(name, weights.tensor(name));
            }
            change.accept(tensors);
            SafetensorsWriter.write(file, tensors, Map.of());
        }
    }

    /** Gives the first convolution five more channels, which it does not look at. */
    private static void widen(Path file) throws IOException {
        change(
                file,
                tensors -> {
                    Tensor first = tensors.get("conv_in.weight"); // [O,4,3,3]
                    Shape more = Shape.of(first.size(0), 5, 3, 3);
                    tensors.put(
                            "conv_in.weight",
                            Ops.cat(1, first, Tensor.zeros(more, first.dtype(), Device.CPU)));
                });
    }

    /** Channels of a mask and of what it leaves are asked for. */
    @Test
    void aNetworkThatPaintsNeedsAPictureAndAMask(@TempDir Path folder) throws IOException {
        Path model = changed(folder, "unet/config.json", config -> config.put("in_channels", 9));
        widen(model.resolve("unet/diffusion_pytorch_model.safetensors"));
        try (var pipeline = open(model)) {
            assertRefused(
                    pipeline,
                    SampleRequest.builder().prompt("a tree").steps(2).build(),
                    "give it a picture and a mask");
            var edit = new Edit(flat(3, 16, 16, 0.5f), flat(1, 16, 16, 1), 1);
            assertEquals(1, pipeline.sample(request(edit).build()).pictures().size());
        }
    }
}
