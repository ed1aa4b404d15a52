package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.checkpoint.WeightFormat;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Tensor;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/** Parts that take turns in memory, and weights that are kept in fewer bits. */
class OffloadTest {
    /** With weights that are not stored as they are computed with, so that loading takes memory. */
    private static final PipelineOptions CAST =
            PipelineOptions.defaults().withDtype(DType.FLOAT64).withLogging(false);

    private static final PipelineOptions OFF = CAST.withOffload(Offload.OFF);
    private static final PipelineOptions ON = CAST.withOffload(Offload.ON);
    private static final SampleRequest REQUEST =
            SampleRequest.builder()
                    .prompt("a red heart")
                    .steps(2)
                    .seed(3)
                    .batch(2)
                    .width(16)
                    .height(16)
                    .maxTokens(24)
                    .binning(false)
                    .build();

    @TempDir private Path folder;

    @AfterEach
    void forgetLimit() {
        System.clearProperty(MemoryBudget.PROPERTY);
    }

    private static void limit(long bytes) {
        System.setProperty(MemoryBudget.PROPERTY, String.valueOf(bytes));
    }

    private static Path model(String name) {
        return Cases.named(name).resolve("model");
    }

    private static List<byte[]> pictures(Pipeline pipeline) {
        return pipeline.sample(REQUEST).pictures().stream().map(Picture::rgb).toList();
    }

    private static List<byte[]> pictures(Path model, PipelineOptions options) {
        long live = Memory.liveTensors();
        try (var pipeline = Pipeline.load(model, options)) {
            return pictures(pipeline);
        } finally {
            assertEquals(live, Memory.liveTensors());
        }
    }

    private static void assertEqual(List<byte[]> expected, List<byte[]> actual) {
        assertEquals(expected.size(), actual.size());
        for (int i = 0; i < expected.size(); i++) {
            assertArrayEquals(expected.get(i), actual.get(i));
        }
    }

    @Test
    void partsTakeTurnsAndPicturesStayTheSame() {
        List<byte[]> expected = pictures(model("pixart_alpha"), OFF);
        long live = Memory.liveTensors();
        try (var pipeline = Pipeline.load(model("pixart_alpha"), ON)) {
            assertEquals(live, Memory.liveTensors(), "nothing is loaded yet");
            assertEquals(List.of(), pipeline.warnings());
            for (int i = 0; i < 3; i++) {
                assertEqual(expected, pictures(pipeline));
                assertEquals(live, Memory.liveTensors(), "nothing stays between two requests");
            }
        }
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void onlyOnePartIsThereAtATime() {
        long[] parts = new long[3];
        try (var pipeline = Pipeline.load(model("pixart_alpha"), OFF)) {
            parts[0] = Memory.liveTensors();
        }
        long live = Memory.liveTensors();
        var counts = new ArrayList<Long>();
        try (var pipeline = Pipeline.load(model("pixart_alpha"), ON)) {
            pipeline.sample(
                    REQUEST,
                    new SampleMonitor() {
                        @Override
                        public void evaluated(int done, int total, Tensor x, Tensor denoised) {
                            counts.add(Memory.liveTensors() - live);
                        }
                    });
        }
        long all = parts[0] - live;
        assertTrue(counts.getFirst() < all * 3 / 4, counts + " of " + all);
    }

    /** Whatever the family. */
    @Test
    void partsOfEveryCaseTakeTurns() throws IOException {
        for (Path each : Cases.all()) {
            Path model = each.resolve("model");
            if (!Files.exists(model)) {
                continue;
            }
            long live = Memory.liveTensors();
            byte[][] pictures = new byte[2][];
            for (Offload offload : List.of(Offload.OFF, Offload.ON)) {
                try (var pipeline = Pipeline.load(model, CAST.withOffload(offload))) {
                    long loaded = Memory.liveTensors();
                    assertEquals(offload == Offload.ON, loaded == live, each.toString());
                    var request = request(model).steps(1).controls(controls(model));
                    pictures[offload == Offload.ON ? 1 : 0] =
                            pipeline.sample(request.build()).pictures().getFirst().rgb();
                    assertEquals(loaded, Memory.liveTensors(), each.toString());
                }
            }
            assertArrayEquals(pictures[0], pictures[1], each.toString());
        }
    }

    private static SampleRequest.Builder request(Path model) throws IOException {
        var prompt = SampleRequest.builder().prompt("a red heart").maxTokens(24).binning(false);
        return switch (className(model)) {
            case "DiTPipeline" -> SampleRequest.builder().classes(List.of("1"));
            case "StableDiffusionUpscalePipeline" -> prompt.edit(new Edit(black(8), null));
            default -> prompt.width(16).height(16);
        };
    }

    private static Image black(int side) {
        return new Image(3, side, side, new float[3 * side * side]);
    }

    /** A picture for each ControlNet of a checkpoint. */
    private static List<ControlPicture> controls(Path model) throws IOException {
        try (var parts = Files.list(model)) {
            long nets =
                    parts.filter(part -> part.getFileName().toString().matches("controlnet(_\\d)?"))
                            .count();
            return Collections.nCopies((int) nets, ControlPicture.of(black(16)));
        }
    }

    private static String className(Path model) throws IOException {
        return ConfigReader.object(model.resolve("model_index.json")).path("_class_name").asText();
    }

    /** Just too little memory for all parts and a picture, but enough for each. */
    @Test
    void partsTakeTurnsByThemselvesWhereTheyDoNotFitTogether() {
        List<byte[]> expected = pictures(model("pixart_alpha"), OFF);
        long headroom = 256L << 20;
        List<String> warnings = List.of();
        long bytes = 64 << 20;
        for (; warnings.isEmpty(); bytes = bytes * 15 / 16) {
            limit(headroom + bytes);
            try (var pipeline = Pipeline.load(model("pixart_alpha"), CAST)) {
                assertEqual(expected, pictures(pipeline));
                warnings = pipeline.warnings();
            }
        }
        assertEquals(1, warnings.size(), warnings::toString);
        assertTrue(warnings.getFirst().contains("the parts take turns"), warnings.getFirst());
        assertTrue(warnings.getFirst().contains(MemoryBudget.PROPERTY), warnings.getFirst());
        limit(headroom + 1000);
        for (Offload offload : Offload.values()) {
            var options =
                    CAST.withOffload(offload).withWeights(WeightFormat.COMPUTED).withMapped(false);
            var error =
                    assertThrows(
                            PipelineException.class,
                            () -> Pipeline.load(model("pixart_alpha"), options));
            assertTrue(error.getMessage().startsWith("loading "), error.getMessage());
        }
    }

    @Test
    void aMonitorThatLooksAtPicturesDoesNotMatter() {
        long live = Memory.liveTensors();
        var previews = new ArrayList<Integer>();
        for (PipelineOptions options : List.of(OFF, ON)) {
            try (var pipeline = Pipeline.load(model("pixart_alpha"), options)) {
                pipeline.sample(
                        REQUEST,
                        new SampleMonitor() {
                            @Override
                            public void evaluated(
                                    int done, int total, Tensor latents, Tensor denoised) {
                                previews.add(
                                        Arrays.hashCode(
                                                pipeline.preview(denoised).getFirst().rgb()));
                            }
                        });
                assertTrue(options == OFF || live == Memory.liveTensors());
            }
        }
        assertEquals(previews.subList(0, 2), previews.subList(2, 4));
    }

    @Test
    void cancellingInTheMiddleLeavesNothing() {
        long live = Memory.liveTensors();
        List<byte[]> expected = pictures(model("pixart_alpha"), OFF);
        try (var pipeline = Pipeline.load(model("pixart_alpha"), ON)) {
            var asked = new int[1];
            for (int after : new int[] {0, 1, 2, 3}) { // evaluations, then pictures
                asked[0] = 0;
                var monitor =
                        new SampleMonitor() {
                            @Override
                            public boolean isCancelled() {
                                return asked[0]++ >= after;
                            }
                        };
                assertThrows(CancelledException.class, () -> pipeline.sample(REQUEST, monitor));
                assertEquals(live, Memory.liveTensors());
            }
            assertEqual(expected, pictures(pipeline));
        }
    }

    @Test
    void aPartThatCannotBeReadAnyMoreEndsTheRequestAndNoMore() throws IOException {
        Path copy = Cases.copyModel("pixart_alpha", folder);
        long live = Memory.liveTensors();
        try (var pipeline = Pipeline.load(copy, ON)) {
            List<byte[]> expected = pictures(pipeline);
            for (String file :
                    List.of(
                            "text_encoder/model.safetensors",
                            "transformer/diffusion_pytorch_model.safetensors",
                            "vae/diffusion_pytorch_model.safetensors")) {
                Path weights = copy.resolve(file);
                byte[] bytes = Files.readAllBytes(weights);
                Files.delete(weights);
                var gone = assertThrows(PipelineException.class, () -> pictures(pipeline));
                assertTrue(gone.getMessage().contains(weights.toString()), gone.getMessage());
                Files.write(weights, Arrays.copyOf(bytes, bytes.length - 100));
                var cut = assertThrows(PipelineException.class, () -> pictures(pipeline));
                assertTrue(cut.getMessage().contains(weights.toString()), cut.getMessage());
                assertEquals(live, Memory.liveTensors());
                Files.write(weights, bytes);
                assertEqual(expected, pictures(pipeline));
            }
        }
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void whatIsWrongIsFoundWhenTheCheckpointIsLoaded() throws IOException {
        Path copy = Cases.copyModel("pixart_alpha", folder);
        Path weights = copy.resolve("vae/diffusion_pytorch_model.safetensors");
        byte[] bytes = Files.readAllBytes(weights);
        Files.write(weights, Arrays.copyOf(bytes, bytes.length - 100));
        var cut = assertThrows(PipelineException.class, () -> Pipeline.load(copy, ON));
        assertTrue(cut.getMessage().contains(weights.toString()), cut.getMessage());
        Files.copy(
                copy.resolve("transformer/diffusion_pytorch_model.safetensors"),
                weights,
                java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        var other = assertThrows(PipelineException.class, () -> Pipeline.load(copy, ON));
        assertTrue(other.getMessage().contains("does not fit AutoencoderKl"), other.getMessage());
    }

    @Test
    void storedWeightsGiveTheSamePictureAndIntegersNearlyTheSame() {
        Path model = model("pixart_alpha");
        for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT64)) {
            var options = OFF.withDtype(dtype);
            List<byte[]> expected = pictures(model, options.withWeights(WeightFormat.COMPUTED));
            assertEqual(expected, pictures(model, options.withWeights(WeightFormat.STORED)));
            var rounded = options.withWeights(WeightFormat.INT8);
            List<byte[]> actual = pictures(model, rounded);
            int most = 0;
            for (int i = 0; i < actual.getFirst().length; i++) {
                int difference = (expected.getFirst()[i] & 0xff) - (actual.getFirst()[i] & 0xff);
                most = Math.max(most, Math.abs(difference));
            }
            assertNotEquals(0, most);
            assertTrue(most < 64, "differs by " + most);
            assertEqual(actual, pictures(model, rounded.withOffload(Offload.ON)));
            try (var pipeline = Pipeline.load(model, rounded)) {
                assertEquals(
                        List.of("text_encoder", "transformer"), pipeline.describe().get("int8"));
            }
            try (var pipeline = Pipeline.load(model, options)) {
                assertFalse(pipeline.describe().containsKey("int8"));
            }
        }
    }
}
