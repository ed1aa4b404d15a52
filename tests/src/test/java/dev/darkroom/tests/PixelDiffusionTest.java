package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.cli.Main;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.diffusers.LevelChoice;
import dev.darkroom.models.diffusion.diffusers.LevelSpacing;
import dev.darkroom.models.family.pixel.PixelUnet;
import dev.darkroom.models.family.pixel.PixelUnetConfig;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.plan.Plan;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import javax.imageio.ImageIO;

/** Pipelines of pixels, against those of {@code tests/oracle/pixels.py}. */
class PixelDiffusionTest {
    private static final String DDPM =
            """
            {"_class_name": "UNet2DModel", "layers_per_block": 1, "block_out_channels": [4, 6, 8],
             "norm_eps": 1e-6, "norm_num_groups": 2, "attention_head_dim": null,
             "flip_sin_to_cos": false, "freq_shift": 1, "downsample_padding": 0, "sample_size": 8,
             "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D"],
             "up_block_types": ["UpBlock2D", "AttnUpBlock2D", "UpBlock2D"]}
            """;
    private static final String ADM =
            """
            {"_class_name": "UNet2DModel", "layers_per_block": 2, "block_out_channels": [4, 8],
             "norm_num_groups": 2, "attention_head_dim": 2, "num_class_embeds": 5,
             "sample_size": 8, "resnet_time_scale_shift": "scale_shift",
             "downsample_type": "resnet", "upsample_type": "resnet",
             "down_block_types": ["ResnetDownsampleBlock2D", "AttnDownBlock2D"],
             "up_block_types": ["AttnUpBlock2D", "ResnetUpsampleBlock2D"]}
            """;
    private static final String DDPM_SCHEDULER =
            """
            {"_class_name": "DDPMScheduler", "variance_type": "fixed_large"}
            """;
    private static final String CONSISTENCY =
            """
            {"_class_name": "CMStochasticIterativeScheduler", "num_train_timesteps": 40}
            """;

    @TempDir private Path folder;

    private Path ddpm() throws IOException {
        return written("DDPMPipeline", "DDPMScheduler", DDPM_SCHEDULER, DDPM, true);
    }

    private Path consistency() throws IOException {
        return written(
                "ConsistencyModelPipeline",
                "CMStochasticIterativeScheduler",
                CONSISTENCY,
                ADM,
                true);
    }

    /** Writes a checkpoint; without folders, as the first ones were. */
    private Path written(
            String pipeline, String scheduler, String samplers, String unet, boolean folders)
            throws IOException {
        Path network = folders ? Files.createDirectories(folder.resolve("unet")) : folder;
        Path sampler = folders ? Files.createDirectories(folder.resolve("scheduler")) : folder;
        Files.writeString(
                folder.resolve("model_index.json"),
                "{\"_class_name\": \""
                        + pipeline
                        + "\", \"scheduler\": [\"diffusers\", \""
                        + scheduler
                        + "\"], \"unet\": [\"diffusers\", \"UNet2DModel\"]}");
        Files.writeString(sampler.resolve("scheduler_config.json"), samplers);
        Files.writeString(network.resolve("config.json"), unet);
        var config =
                ConfigReader.of(
                        unet,
                        json -> {
                            json.ignore("_class_name");
                            return PixelUnetConfig.of(json);
                        });
        try (var scope = TensorScope.open()) {
            var weights = Golden.formula(Weights.declared(w -> new PixelUnet(w, config)));
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (String key : weights.keys()) {
                tensors.put(key, weights.read(key));
            }
            SafetensorsWriter.write(
                    network.resolve("diffusion_pytorch_model.safetensors"), tensors, Map.of());
        }
        return folder;
    }

    private static Pipeline load(Path model) {
        return Pipeline.load(model, PipelineOptions.defaults());
    }

    private static SampleRequest.Builder asDiffusers() {
        return SampleRequest.builder().seed(7).batch(2).oneGenerator(true);
    }

    /** Holds what is made to the golden picture. */
    private static void assertMakes(
            Pipeline pipeline, SampleRequest request, String model, String key) throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.pixels(model)) {
            var compared = new boolean[1];
            pipeline.sample(
                    request,
                    new SampleMonitor() {
                        @Override
                        public boolean traces() {
                            return true;
                        }

                        @Override
                        public void traced(String name, Tensor value) {
                            if (name.equals("image")) {
                                try {
                                    golden.assertClose(key, value, 1e-5);
                                } catch (IOException e) {
                                    throw new AssertionError(e);
                                }
                                compared[0] = true;
                            }
                        }
                    });
            assertTrue(compared[0]);
        }
    }

    @Test
    void ddpmMakesThePicturesOfDiffusers() throws Exception {
        try (var pipeline = load(ddpm())) {
            assertEquals(List.of(), pipeline.warnings());
            assertMakes(pipeline, asDiffusers().steps(3).build(), "ddpm", "image");
        }
    }

    @Test
    void consistencyModelsMakeThePicturesOfDiffusers() throws Exception {
        try (var pipeline = load(consistency())) {
            assertEquals(List.of(), pipeline.warnings());
            var classes = asDiffusers().classes(List.of("3", "1"));
            assertMakes(pipeline, classes.steps(2).build(), "adm", "image");
            var given = classes.steps(null).levels(LevelChoice.ofTimesteps(List.of(22.0, 0.0)));
            assertMakes(pipeline, given.build(), "adm", "given");
        }
    }

    @Test
    void filesBesideTheIndexAreUnderstood() throws Exception {
        Path model = written("DDPMPipeline", "DDPMScheduler", DDPM_SCHEDULER, DDPM, false);
        try (var pipeline = load(model)) {
            assertMakes(pipeline, asDiffusers().steps(3).build(), "ddpm", "image");
        }
    }

    /** Picture i of a batch is the one of its seed, unless one generator draws for all. */
    @Test
    void seedsAreThoseOfPicturesOrOfTheBatch() throws IOException {
        try (var pipeline = load(ddpm())) {
            var two = SampleRequest.builder().steps(2).seed(3).batch(2);
            byte[] second = pipeline.sample(two.build()).pictures().get(1).rgb();
            byte[] alone =
                    pipeline.sample(SampleRequest.builder().steps(2).seed(4).build())
                            .pictures()
                            .getFirst()
                            .rgb();
            assertArrayEquals(alone, second);
            byte[] together =
                    pipeline.sample(two.oneGenerator(true).build()).pictures().get(1).rgb();
            assertFalse(Arrays.equals(alone, together));
        }
    }

    @Test
    void defaultsAreThoseOfDiffusers() throws IOException {
        try (var pipeline = load(consistency())) {
            var used =
                    pipeline.sample(SampleRequest.builder().classes(List.of("2")).build()).used();
            assertEquals(1, used.get("steps"));
            assertEquals(1.0, used.get("guidanceScale"));
            assertEquals("CMStochasticIterativeScheduler", used.get("sampler"));
            assertEquals(List.of(2L), used.get("classes"));
            assertEquals(8, used.get("width"));
        }
    }

    private static void assertRefused(
            Pipeline pipeline, SampleRequest.Builder request, String reason) {
        var refused = assertThrows(PipelineException.class, () -> pipeline.sample(request.build()));
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }

    @Test
    void requestsThatADdpmDoesNotTakeAreRefused() throws IOException {
        try (var pipeline = load(ddpm())) {
            var neither = "neither prompt nor class";
            assertRefused(pipeline, SampleRequest.builder().prompt("a cat"), neither);
            assertRefused(pipeline, SampleRequest.builder().negativePrompt("a"), neither);
            assertRefused(pipeline, SampleRequest.builder().classes(List.of("1")), neither);
            assertRefused(pipeline, SampleRequest.builder().guidanceScale(3.0), "can't be guided");
            assertRefused(pipeline, SampleRequest.builder().width(10), "multiples of 4");
            assertRefused(
                    pipeline,
                    SampleRequest.builder().levels(LevelChoice.ofTimesteps(List.of(5000.0))),
                    "timestep 5000.0 is outside the model's");
        }
    }

    @Test
    void requestsThatAConsistencyModelDoesNotTakeAreRefused() throws IOException {
        try (var pipeline = load(consistency())) {
            assertRefused(pipeline, SampleRequest.builder(), "draws classes; name one");
            assertRefused(pipeline, SampleRequest.builder().prompt("a"), "takes no prompt");
            assertRefused(pipeline, SampleRequest.builder().classes(List.of("5")), "from 0 to 4");
            var one = SampleRequest.builder().classes(List.of("1"));
            assertRefused(pipeline, one.steps(41), "from 1 to 40, not 41");
            one.steps(null);
            one.levels(LevelChoice.ofTimesteps(List.of(40.0)));
            assertRefused(pipeline, one, "fall from 39 at most to 0 at least, not [40]");
            one.levels(LevelChoice.of(LevelSpacing.KARRAS));
            assertRefused(pipeline, one, "a consistency model has noise levels of its own");
            one.levels(null).sampler("euler");
            assertRefused(pipeline, one, "leave out the sampler");
        }
        var timesteps = LevelChoice.ofTimesteps(List.of(22.0, 0.0));
        var both = SampleRequest.builder().steps(3).levels(timesteps);
        var refused = assertThrows(IllegalArgumentException.class, both::build);
        assertTrue(refused.getMessage().contains("2 noise levels"), refused.getMessage());
    }

    @Test
    void networksOfOtherThingsThanPicturesAreRefused() throws IOException {
        String latents = DDPM.replace("\"norm_eps\"", "\"in_channels\": 4, \"norm_eps\"");
        Path model = written("DDPMPipeline", "DDPMScheduler", DDPM_SCHEDULER, latents, true);
        var refused = assertThrows(PipelineException.class, () -> load(model).close());
        assertTrue(refused.getMessage().contains("takes 4 channels"), refused.getMessage());
        Files.writeString(
                model.resolve("unet/config.json"), DDPM.replace("\"sample_size\": 8,", ""));
        refused = assertThrows(PipelineException.class, () -> load(model).close());
        assertTrue(refused.getMessage().contains("no sample_size"), refused.getMessage());
    }

    @Test
    void pictureOfNothingInParticularAtTheShell() throws IOException {
        Path picture = folder.resolve("a.png");
        var out = new StringWriter();
        var err = new StringWriter();
        int exit =
                Main.run(
                        new PrintWriter(out),
                        new PrintWriter(err, true),
                        "sample",
                        "--model",
                        ddpm().toString(),
                        "--steps",
                        "2",
                        "--seed",
                        "1",
                        "--out",
                        picture.toString());
        assertEquals(0, exit, err.toString());
        assertEquals(8, ImageIO.read(picture.toFile()).getWidth());
        String text = Files.readString(picture, StandardCharsets.ISO_8859_1);
        assertTrue(text.contains("parameters\0Steps: 2, Sampler: DDPMScheduler"));
    }

    @Test
    void plansNeedNoPrompt() throws Exception {
        var plan = Plan.of(ddpm(), PipelineOptions.defaults(), SampleRequest.builder().build());
        assertEquals("unet", plan.parts().getFirst().name());
        assertEquals(1000, plan.run().steps());
        Files.delete(folder.resolve("unet/diffusion_pytorch_model.safetensors"));
        plan = Plan.of(consistency(), PipelineOptions.defaults(), SampleRequest.builder().build());
        assertEquals(1, plan.run().steps());
    }
}
