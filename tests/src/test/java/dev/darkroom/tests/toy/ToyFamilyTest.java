package dev.darkroom.tests.toy;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Checkpoint;
import dev.darkroom.models.checkpoint.CheckpointWriter;
import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.LoadListener;
import dev.darkroom.models.checkpoint.LoadOptions;
import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.checkpoint.SingleFile;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Guidance;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.diffusion.NoiseSchedule;
import dev.darkroom.models.diffusion.Prediction;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.Model;
import dev.darkroom.models.family.SamplerChoice;
import dev.darkroom.models.lora.Lora;
import dev.darkroom.models.lora.LoraConfig;
import dev.darkroom.models.pipeline.Families;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.plan.Plan;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.ParameterGroup;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.training.objective.ConsistencyModel;
import dev.darkroom.training.objective.Diffusion;
import dev.darkroom.training.objective.Distance;
import dev.darkroom.training.objective.Edm;
import dev.darkroom.training.objective.FlowMatching;
import dev.darkroom.training.objective.FlowTimes;
import dev.darkroom.training.objective.LatentConsistency;
import dev.darkroom.training.objective.LearnedVariance;
import dev.darkroom.training.objective.Objective;
import dev.darkroom.training.objective.ScoreMatching;
import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.run.Trainer;
import dev.darkroom.training.stage.Stage;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.DoubleStream;

import javax.imageio.ImageIO;

/**
 * A family outside of the library, with latents of rank 3, has every solver, guidance, objective
 * and adapter by itself.
 */
class ToyFamilyTest {
    private static final NoiseSchedule SCHEDULE = NoiseSchedule.linear(1000, 0.0001, 0.02);
    private static final int BATCH = 64;
    private static final double[] LEVELS =
            DoubleStream.iterate(0, i -> i < BATCH, i -> i + 1).map(i -> i / BATCH - 0.5).toArray();

    @TempDir private Path folder;

    private SamplerChoice samplers(String json) throws IOException {
        Path file = Files.writeString(folder.resolve("scheduler_config.json"), json);
        return SamplerChoice.read(file, Warnings.strict());
    }

    private static Toy.Net network(int outputs) {
        return Weights.random(
                3, DType.FLOAT32, Device.CPU, w -> new Toy.Net(w, new Toy.Config(outputs, 1)));
    }

    private static SampleRequest request(String sampler, Guidance guidance) {
        return SampleRequest.builder()
                .prompt("0.5")
                .sampler(sampler)
                .guidance(guidance)
                .batch(2)
                .seed(4)
                .build();
    }

    @Test
    void samplesWithEverySolverAndGuidance() throws IOException {
        long live = Memory.liveTensors();
        var guidances =
                List.of(
                        Guidance.NONE,
                        new ClassifierFree(3),
                        new ClassifierFree(3, 0.7, 0, Double.POSITIVE_INFINITY),
                        new ClassifierFree(3, 0, 0.5, 5));
        for (String own :
                List.of(
                        "{\"_class_name\": \"DDIMScheduler\", \"prediction_type\": \"sample\"}",
                        "{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\","
                                + " \"use_dynamic_shifting\": true}")) {
            boolean flow = own.contains("Flow");
            try (var network = network(1);
                    var pipeline =
                            Pipeline.of(
                                    "toy",
                                    Toy.model(network, samplers(own)),
                                    PipelineOptions.defaults())) {
                for (String sampler : Scheduler.names()) {
                    if (flow && sampler.equals("deis")) {
                        continue; // it starts from pure noise, which DEIS refuses with the reason
                    }
                    boolean unfit = sampler.matches(".*karras|langevin|flow-map"); // of one time
                    if (flow ? unfit : sampler.startsWith("flow")) {
                        var refused =
                                assertThrows(
                                        PipelineException.class,
                                        () -> pipeline.sample(request(sampler, Guidance.NONE)));
                        assertTrue(refused.getMessage().contains(sampler), refused.getMessage());
                        continue;
                    }
                    for (Guidance guidance : guidances) {
                        if (sampler.endsWith("cfg++") && guidance.equals(Guidance.NONE)) {
                            var refused =
                                    assertThrows(
                                            PipelineException.class,
                                            () -> pipeline.sample(request(sampler, guidance)));
                            assertTrue(
                                    refused.getMessage().contains("unconditional estimate"),
                                    refused.getMessage());
                            continue;
                        }
                        var pictures = pipeline.sample(request(sampler, guidance)).pictures();
                        assertEquals(2, pictures.size());
                        assertEquals(Toy.SIDE, pictures.getFirst().width());
                        assertFalse(Arrays.equals(pictures.get(0).rgb(), pictures.get(1).rgb()));
                    }
                }
                var wrong =
                        assertThrows(
                                PipelineException.class,
                                () -> pipeline.sample(SampleRequest.of("a red heart")));
                assertTrue(wrong.getMessage().contains("how bright"), wrong.getMessage());
            }
        }
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void isGuidedByAWeakerToy() throws IOException {
        SamplerChoice own =
                samplers("{\"_class_name\": \"DDIMScheduler\", \"prediction_type\": \"sample\"}");
        SamplerChoice flow = samplers("{\"_class_name\": \"FlowMatchEulerDiscreteScheduler\"}");
        SampleRequest guided = request("euler", new ClassifierFree(3));
        try (var network = network(1);
                var weaker =
                        Weights.random(
                                4,
                                DType.FLOAT32,
                                Device.CPU,
                                w -> new Toy.Net(w, new Toy.Config(1, 1)))) {
            Model model = Toy.model(network, own);
            var options = PipelineOptions.defaults();
            try (var alone = Pipeline.of("toy", model, options);
                    var pipeline = Pipeline.of("toy", model, Toy.model(weaker, own), options)) {
                byte[] plain = alone.sample(guided).pictures().getFirst().rgb();
                var result = pipeline.sample(guided);
                assertFalse(Arrays.equals(plain, result.pictures().getFirst().rgb()));
                assertEquals("the weaker model", result.used().get("autoGuidance"));
            }
            var refused =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> Pipeline.of("toy", model, Toy.model(weaker, flow), options));
            assertTrue(refused.getMessage().contains("prediction: FLOW"), refused.getMessage());
        }
    }

    /** Whatever it learns, the loss falls, by its own parameters and by those of adapters. */
    @Test
    void trainsWithEveryObjectiveAndTakesAdapters() {
        long live = Memory.liveTensors();
        Map<String, Objective> objectives = new LinkedHashMap<>();
        for (Prediction prediction : Prediction.values()) {
            if (prediction != Prediction.FLOW) {
                objectives.put("" + prediction, new Diffusion(SCHEDULE, prediction));
            }
        }
        objectives.put("flow", new FlowMatching(FlowTimes.UNIFORM));
        objectives.put("edm", new Edm(0.5));
        objectives.put("score", new ScoreMatching(0.05, 5, 50));
        objectives.put("variance", new LearnedVariance(SCHEDULE, Prediction.EPSILON));
        objectives.forEach(
                (name, objective) -> {
                    boolean variance = objective instanceof LearnedVariance;
                    for (boolean adapted : new boolean[] {false, true}) {
                        try (var network = network(variance ? 2 : 1);
                                var generator = new Generator(1)) {
                            assertLearns(
                                    name + (adapted ? ", adapted" : ""),
                                    network,
                                    adapted,
                                    clean ->
                                            objective.loss(
                                                    network.bind(Toy.brightness(LEVELS)),
                                                    clean,
                                                    generator));
                        }
                    }
                });
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void isDistilled() {
        try (var teacher = network(1);
                var network = network(1);
                var generator = new Generator(1)) {
            Condition brightness = Toy.brightness(LEVELS);
            var diffusion = new Diffusion(SCHEDULE, Prediction.SAMPLE);
            assertLearns(
                    "the teacher",
                    teacher,
                    false,
                    clean -> diffusion.loss(teacher.bind(brightness), clean, generator));
            var latent = new LatentConsistency(SCHEDULE, Prediction.SAMPLE, 1, 1);
            var networks =
                    new LatentConsistency.Networks(
                            network,
                            teacher,
                            teacher,
                            brightness,
                            Toy.brightness(new double[BATCH]));
            assertLearns(
                    "latent consistency",
                    network,
                    false,
                    clean -> latent.loss(networks, clean, generator));
        }
        try (var network = network(1);
                var generator = new Generator(1)) {
            var consistency = new ConsistencyModel(Distance.SQUARED);
            Network bound = network.bind(Toy.brightness(LEVELS));
            assertLearns(
                    "consistency training",
                    network,
                    false,
                    clean ->
                            consistency.training(
                                    bound,
                                    bound,
                                    clean,
                                    consistency.sigmas(6),
                                    consistency.uniform(clean, 6, generator),
                                    true));
        }
    }

    /** A single file is known by the names of its tensors, and gives what its network gives. */
    @Test
    void isLoadedFromASingleFile() throws IOException {
        long live = Memory.liveTensors();
        var families = new Families(List.of(new Toy()));
        Path path = folder.resolve("toy.safetensors");
        var request = SampleRequest.of("1");
        byte[] expected;
        try (var network = network(1)) {
            String own = "{\"_class_name\": \"DDIMScheduler\", \"prediction_type\": \"sample\"}";
            var model = Toy.model(network, samplers(own));
            try (var pipeline = Pipeline.of("toy", model, PipelineOptions.defaults())) {
                expected = pipeline.sample(request).pictures().getFirst().rgb();
            }
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            network.state().forEach((name, tensor) -> tensors.put("toy." + name, tensor));
            SafetensorsWriter.write(path, tensors, Map.of());
        }
        var loadings = new ArrayList<LoadListener.Loading>();
        try (var file = SingleFile.open(path, options(null))) {
            file.listen(
                    new LoadListener() {
                        @Override
                        public void loaded(Loading loading) {
                            loadings.add(loading);
                        }
                    });
            var family = families.find(file.header()).orElseThrow();
            assertEquals("toy", family.name());
            var model = family.load(file);
            try (var pipeline = Pipeline.of("toy", model, PipelineOptions.defaults())) {
                assertArrayEquals(expected, pipeline.sample(request).pictures().getFirst().rgb());
            }
            assertEquals(List.of(), file.warnings().list());
            assertEquals(Set.of("toy.safetensors"), file.hashWeights(f -> "").keySet());
            long bytes = file.header().tensorBytes();
            assertEquals(
                    List.of(new LoadListener.Loading("toy.safetensors", bytes, bytes, bytes)),
                    loadings);
        }
        assertEquals(live, Memory.liveTensors());
        var variant = assertThrows(IOException.class, () -> SingleFile.open(path, options("fp16")));
        assertTrue(variant.getMessage().contains("has no variant fp16"), variant.getMessage());

        var unknown = assertThrows(PipelineException.class, () -> Pipeline.load(path.toString()));
        assertEquals(
                path
                        + " is a single file of weights that no family loads: of its 6 tensors 6"
                        + " begin with toy, such as toy.embedding.bias; name a folder that holds"
                        + " model_index.json, or a model of a hub as ORG/NAME",
                unknown.getMessage());
        Files.writeString(folder.resolve("model_index.json"), "{}");
        unknown = assertThrows(PipelineException.class, () -> Pipeline.load(path.toString()));
        assertTrue(
                unknown.getMessage().endsWith("the checkpoint that it belongs to, " + folder),
                unknown.getMessage());
        Files.writeString(path, "nothing");
        assertThrows(PipelineException.class, () -> Pipeline.load(path.toString()));
    }

    private static LoadOptions options(String variant) {
        return new LoadOptions(DType.FLOAT32, null, Device.CPU, true, variant, true, Tiling.AUTO);
    }

    /** Its own class of network, in a part of its own, becomes a checkpoint that it reads. */
    @Test
    void trainsThroughAStage() throws IOException {
        Path data = Files.createDirectory(folder.resolve("data"));
        for (int i = 0; i < 4; i++) {
            var picture = new BufferedImage(Toy.SIDE, Toy.SIDE, BufferedImage.TYPE_INT_RGB);
            for (int pixel = 0; pixel < Toy.SIDE * Toy.SIDE; pixel++) {
                picture.setRGB(pixel % Toy.SIDE, pixel / Toy.SIDE, i < 2 ? 0x202020 : 0xe0e0e0);
            }
            ImageIO.write(picture, "png", data.resolve(i + ".png").toFile());
            Files.writeString(data.resolve(i + ".txt"), i < 2 ? "dark" : "light");
        }
        writeAutoencoder(folder.resolve("vae"));
        Path config =
                Files.writeString(
                        folder.resolve("toy.json"),
                        """
                        {"steps": 4, "batch": 4, "size": 8, "vae": "vae", "showEvery": 2,
                         "optimizer": {"warmUp": 1},
                         "toy": {"_class_name": "ToyModel"},
                         "scheduler": {"_class_name": "DDIMScheduler"}}
                        """);
        long live = Memory.liveTensors();
        var families = new Families(List.of(new Toy()));
        Path out = folder.resolve("toy");
        Stage stage = Stage.read(Stage.Kind.DIFFUSION, config, data, families);
        assertEquals(Trainer.End.FINISHED, stage.run(out, RunListener.NONE));
        assertEquals(
                "{\"_class_name\":\"ToyModel\",\"levels\":2}", compact(out, "toy/config.json"));
        try (var checkpoint = Checkpoint.open(out, options(null))) {
            assertEquals(Toy.PIPELINE, checkpoint.className());
            assertEquals(Map.of("0", "dark", "1", "light"), checkpoint.labels());
            var model = families.of(Toy.PIPELINE).load(checkpoint);
            try (var pipeline = Pipeline.of("toy", model, PipelineOptions.defaults())) {
                assertEquals(1, pipeline.sample(SampleRequest.of("1")).pictures().size());
            }
        }
        byte[][] pictures = new byte[2][];
        for (Offload offload : List.of(Offload.OFF, Offload.ON)) {
            var loading = PipelineOptions.defaults().withDtype(DType.FLOAT64).withOffload(offload);
            try (var pipeline = Pipeline.load(out, loading, families)) {
                long loaded = Memory.liveTensors();
                assertEquals(offload == Offload.ON, loaded == live, "takes turns");
                pictures[offload == Offload.ON ? 1 : 0] =
                        pipeline.sample(SampleRequest.of("1")).pictures().getFirst().rgb();
                assertEquals(loaded, Memory.liveTensors());
            }
        }
        assertArrayEquals(pictures[0], pictures[1]);
        var plan = Plan.of(out, PipelineOptions.defaults(), SampleRequest.of("1"), families);
        assertEquals("Toy", plan.family());
        assertTrue(plan.fits());
        Path adapted = Files.writeString(folder.resolve("lora.json"), "{\"base\": \"toy\"}");
        var refused =
                assertThrows(
                        IOException.class,
                        () -> Stage.read(Stage.Kind.LORA, adapted, data, families));
        assertTrue(refused.getMessage().contains("conditioned on classes"), refused.getMessage());
        refused =
                assertThrows(
                        IOException.class, () -> Stage.read(Stage.Kind.DIFFUSION, config, data));
        assertTrue(refused.getMessage().contains("transformer is missing"), refused.getMessage());
        assertEquals(live, Memory.liveTensors());
    }

    /** One channel of latents for each pixel. */
    private static void writeAutoencoder(Path part) throws IOException {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("latent_channels", 1).put("layers_per_block", 1).put("norm_num_groups", 2);
        json.putArray("block_out_channels").add(4);
        json.putArray("down_block_types").add("DownEncoderBlock2D");
        json.putArray("up_block_types").add("UpDecoderBlock2D");
        var config = ConfigReader.of(json, AutoencoderKlConfig::of);
        try (var vae =
                Weights.random(1, DType.FLOAT32, Device.CPU, w -> new AutoencoderKl(w, config))) {
            Files.createDirectory(part);
            CheckpointWriter.network(part, Library.DIFFUSERS, json, vae, DType.FLOAT32);
        }
    }

    private static String compact(Path folder, String file) throws IOException {
        return ConfigReader.object(folder.resolve(file)).toString();
    }

    /** A step's loss of a batch of clean data. */
    private interface Loss {
        Tensor of(Tensor clean);
    }

    private static void assertLearns(String name, Toy.Net network, boolean adapted, Loss loss) {
        network.train();
        try (var generator = new Generator(2);
                var lora =
                        adapted
                                ? Lora.create(
                                        network,
                                        new LoraConfig(
                                                4, 4, List.of("input", "embedding", "output")),
                                        generator)
                                : null) {
            if (lora != null) {
                lora.train(true);
            }
            Map<String, Parameter> trained = lora == null ? network.trainable() : lora.parameters();
            var group = new ParameterGroup("all", trained, 3e-3, 0);
            try (var optimizer = new AdamW(List.of(group), AdamW.Options.DEFAULTS)) {
                double first = 0;
                double last = 0;
                for (int step = 0; step < 200; step++) {
                    try (var scope = TensorScope.open();
                            var mode = Mode.GRAD.enter()) {
                        Tensor noise = Tensor.randn(generator, BATCH, 2, 32);
                        Tensor levels = Tensor.copyOf(LEVELS, BATCH, 1, 1).to(DType.FLOAT32);
                        Tensor measured = loss.of(noise.times(0.1).plus(levels));
                        measured.backward();
                        optimizer.step(1);
                        optimizer.zeroGrad();
                        double value = measured.item();
                        first += step < 20 ? value : 0;
                        last += step >= 180 ? value : 0;
                    }
                }
                double before = first;
                double after = last;
                assertTrue(
                        after < 0.9 * before,
                        () -> name + ": loss from " + before + " to " + after);
            }
        }
    }
}
