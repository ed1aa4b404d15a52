package dev.darkroom.training.stage;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.family.Defaults;
import dev.darkroom.models.lora.LoraConfig;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.training.data.CacheListener;
import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.run.StepReport;
import dev.darkroom.training.run.Trainer.End;
import dev.darkroom.training.run.TrainingException;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

import javax.imageio.ImageIO;

/** A whole model, tokenizer to student, each stage of a few steps. */
class StageTest {
    private static final Map<String, Color> COLOURS =
            new TreeMap<>(Map.of("red", Color.RED, "green", Color.GREEN, "blue", Color.BLUE));

    @TempDir private static Path root;

    private static Path data;
    private static Path tokenizer;
    private static Path vae;
    private static Path teacher;

    @BeforeAll
    static void trainATeacher() throws IOException {
        data = pictures();
        tokenizer = train(Stage.Kind.TOKENIZER, "tokenizer", "{'vocabularySize': 60}");
        vae = train(Stage.Kind.VAE, "vae", autoencoder());
        teacher = train(Stage.Kind.DIFFUSION, "teacher", diffusion(6));
    }

    /** Squares of one colour on another. */
    private static Path pictures() throws IOException {
        Path folder = Files.createDirectories(root.resolve("data"));
        for (var object : COLOURS.entrySet()) {
            for (var ground : COLOURS.entrySet()) {
                var picture = new BufferedImage(16, 16, BufferedImage.TYPE_INT_RGB);
                var graphics = picture.createGraphics();
                graphics.setColor(ground.getValue());
                graphics.fillRect(0, 0, 16, 16);
                graphics.setColor(object.getValue());
                graphics.fillRect(4, 4, 8, 8);
                graphics.dispose();
                String name = object.getKey() + "-" + ground.getKey();
                ImageIO.write(picture, "png", folder.resolve(name + ".png").toFile());
                Files.writeString(
                        folder.resolve(name + ".txt"),
                        "a %s square on %s".formatted(object.getKey(), ground.getKey()));
            }
        }
        return folder;
    }

    private static String autoencoder() {
        return """
        {'steps': 5, 'batch': 4, 'size': 16, 'crop': 8, 'wholeBatch': 2, 'wholeFrom': 0.6,
         'saveEvery': 2, 'showEvery': 5,
         'optimizer': {'learningRate': 0.002, 'muonLearningRate': 0.02, 'warmUp': 1,
                       'averageDecay': 0.9},
         'vae': {'block_out_channels': [8, 16], 'layers_per_block': 1, 'norm_num_groups': 2,
                 'down_block_types': ['DownEncoderBlock2D', 'DownEncoderBlock2D'],
                 'up_block_types': ['UpDecoderBlock2D', 'UpDecoderBlock2D'],
                 'mid_block_add_attention': false}}
        """;
    }

    private static String diffusion(int steps) {
        return """
        {'steps': %d, 'batch': 4, 'accumulation': 2, 'size': 16, 'dtype': 'bfloat16',
         'vae': 'vae/vae', 'tokenizer': 'tokenizer/tokenizer', 'saveEvery': 2, 'showEvery': 4,
         'savedDtype': 'float16', 'captionTokens': 8,
         'optimizer': {'learningRate': 0.002, 'muonLearningRate': 0.02, 'warmUp': 2,
                       'averageDecay': 0.99},
         'transformer': {'_class_name': 'PixArtTransformer2DModel', 'num_attention_heads': 2,
                         'attention_head_dim': 8, 'num_layers': 2},
         'text_encoder': {'d_model': 16, 'd_kv': 8, 'd_ff': 32, 'num_layers': 1, 'num_heads': 2,
                          'feed_forward_proj': 'gated-gelu'},
         'scheduler': {'_class_name': 'DPMSolverMultistepScheduler', 'prediction_type':
                       'v_prediction', 'lambda_min_clipped': -Infinity},
         'defaults': {'steps': 3, 'guidance': 2},
         'samples': {'prompts': ['a red square on blue', 'a blue square on red'], 'steps': 2}}
        """
                .formatted(steps);
    }

    private static Stage stage(Stage.Kind kind, String name, String config) throws IOException {
        Path file = root.resolve(name + ".json");
        Files.writeString(file, config.replace('\'', '"'));
        return Stage.read(kind, file, data);
    }

    private static Path train(Stage.Kind kind, String name, String config) throws IOException {
        long live = Memory.liveTensors();
        Path out = root.resolve(name);
        assertEquals(End.FINISHED, stage(kind, name, config).run(out, RunListener.NONE));
        assertEquals(live, Memory.liveTensors());
        return out;
    }

    private static void assertSamples(Path checkpoint, SampleRequest request) {
        try (var pipeline = Pipeline.load(checkpoint, PipelineOptions.defaults())) {
            var picture = pipeline.sample(request).pictures().getFirst();
            assertEquals(16, picture.width());
            assertEquals(16, picture.height());
        }
    }

    private static DryRun dryRun(Stage.Kind kind, String config) throws IOException {
        long live = Memory.liveTensors();
        DryRun read = stage(kind, "dry", config).dryRun(CacheListener.NONE);
        assertEquals(live, Memory.liveTensors());
        assertFalse(Files.exists(root.resolve("dry")));
        assertEquals(List.of(), read.problems());
        assertEquals(9, read.data().examples().size());
        assertEquals(9, read.captions());
        return read;
    }

    @Test
    void everyStageHasADryRun() throws IOException {
        for (Stage.Kind kind : Stage.Kind.values()) {
            DryRun read =
                    switch (kind) {
                        case TOKENIZER -> dryRun(kind, "{'vocabularySize': 60}");
                        case VAE -> dryRun(kind, autoencoder());
                        case DIFFUSION -> dryRun(kind, diffusion(6));
                        case DISTILL -> dryRun(kind, "{'teacher': 'teacher', 'captionTokens': 4}");
                        case LORA -> dryRun(kind, "{'base': 'teacher', 'captionTokens': 100}");
                    };
            DryRun.Tokens tokens = read.tokens();
            switch (kind) {
                case TOKENIZER, VAE -> assertNull(tokens);
                case DIFFUSION -> assertEquals(8, Objects.requireNonNull(tokens).limit());
                case DISTILL -> {
                    assertTrue(Objects.requireNonNull(tokens).longest() > 4);
                    assertEquals(9, tokens.cut());
                }
                case LORA -> assertEquals(0, Objects.requireNonNull(tokens).cut());
            }
        }
    }

    @Test
    void aDryRunCountsClasses() throws IOException {
        String transformer = "PixArtTransformer2DModel";
        String dit = diffusion(6).replace(transformer, "DiTTransformer2DModel");
        dit = dit.replaceAll("(?s)'text_encoder': \\{.*?},", "");
        dit = dit.replaceAll("'tokenizer': '[^']*', ", "").replace("'captionTokens': 8,", "");
        assertEquals(9, dryRun(Stage.Kind.DIFFUSION, dit).classes());
        String fields = dit.replaceFirst("\\{", "{'classField': 'kind', ");
        DryRun none = stage(Stage.Kind.DIFFUSION, "dry", fields).dryRun(CacheListener.NONE);
        assertEquals(9, none.problems().size());
        String problem = String.valueOf(none.problems().getFirst().getMessage());
        assertTrue(problem.endsWith(".png: it has no field kind, which names its class"), problem);
    }

    @Test
    void theTeacherIsACheckpoint() throws IOException {
        assertEquals(new Defaults(3, 2.0), Defaults.read(teacher));
        assertSamples(teacher, SampleRequest.of("a red square on blue"));
        assertTrue(Files.exists(teacher.resolve("training/samples/step-000004.png")));
        assertTrue(Files.exists(vae.resolve("training/samples/step-000005.png")));
    }

    @Test
    void aStudentIsDistilled() throws IOException {
        Path student =
                train(
                        Stage.Kind.DISTILL,
                        "student",
                        """
                        {'steps': 3, 'batch': 4, 'teacher': 'teacher', 'size': 16, 'captionTokens': 8,
                         'optimizer': {'learningRate': 0.0002, 'warmUp': 1},
                         'student': {'leastGuidance': 3, 'gridSteps': 25, 'huber': 0.03}}
                        """);
        assertSamples(student, SampleRequest.of("a red square on blue"));
        String scheduler = Files.readString(student.resolve("scheduler/scheduler_config.json"));
        assertTrue(scheduler.contains("LCMScheduler") && scheduler.contains("v_prediction"));
        assertEquals(new Defaults(4, 1.0), Defaults.read(student));
        // The teacher's serve.
        assertFalse(Files.exists(student.resolve("training/latents.safetensors")));
    }

    @Test
    void aStudentIsConditionedOnTheGuidance() throws IOException {
        Path student =
                train(
                        Stage.Kind.DISTILL,
                        "steered",
                        """
                        {'steps': 3, 'batch': 4, 'teacher': 'teacher', 'size': 16, 'captionTokens': 8,
                         'optimizer': {'learningRate': 0.02, 'warmUp': 1, 'checkpointing': true},
                         'student': {'leastGuidance': 2, 'greatestGuidance': 8, 'gridSteps': 25,
                                     'guidanceChannels': 16}}
                        """);
        String config = Files.readString(student.resolve("transformer/config.json"));
        assertTrue(config.contains("time_cond_proj_dim"), config);
        assertEquals(new Defaults(4, 5.0), Defaults.read(student));
        Path weights = student.resolve("transformer/diffusion_pytorch_model.safetensors");
        try (var scope = TensorScope.open();
                var file = Safetensors.open(weights, LoadMode.READ)) {
            String key = "adaln_single.emb.timestep_embedder.cond_proj.weight";
            assertTrue(file.tensor(key).abs().max().item() > 1e-4);
        }
        assertSamples(
                student,
                SampleRequest.builder().prompt("a red square on blue").guidanceScale(5.0).build());
    }

    private static String adapters(int showEvery) {
        return """
        {'steps': 3, 'batch': 4, 'teacher': 'teacher', 'size': 16, 'captionTokens': 8,
         'dtype': 'bfloat16', 'optimizer': {'learningRate': 0.01, 'warmUp': 1},
         'student': {'lora': {'rank': 4}}, 'showEvery': %d,
         'samples': {'prompts': ['red']}}
        """
                .formatted(showEvery);
    }

    @Test
    void aStudentIsAdapted() throws IOException {
        Path watched = train(Stage.Kind.DISTILL, "watched", adapters(1));
        Path unwatched = train(Stage.Kind.DISTILL, "unwatched", adapters(0));
        assertSamples(watched, SampleRequest.of("a red square on blue"));
        String weights = "lora/adapter_model.safetensors";
        assertArrayEquals(
                Files.readAllBytes(unwatched.resolve(weights)),
                Files.readAllBytes(watched.resolve(weights)));
    }

    @Test
    void adaptersAreTrained() throws IOException {
        Path adapted =
                train(
                        Stage.Kind.LORA,
                        "adapted",
                        """
                        {'steps': 3, 'batch': 4, 'base': 'teacher', 'size': 16, 'captionTokens': 8,
                         'optimizer': {'learningRate': 0.001, 'warmUp': 1, 'averageDecay': 0.9},
                         'lora': {'rank': 2}, 'showEvery': 2, 'samples': {'prompts': ['red']}}
                        """);
        assertSamples(adapted, SampleRequest.of("a red square on blue"));
        var config = LoraConfig.read(adapted.resolve("lora/adapter_config.json"));
        assertEquals(2, config.rank());
        assertEquals(Defaults.read(teacher), Defaults.read(adapted));
    }

    private static Path copyOfTheTeacher(String name) throws IOException {
        Path base = root.resolve(name);
        try (var files = Files.walk(teacher)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = base.resolve(teacher.relativize(file).toString());
                Files.createDirectories(copy.getParent());
                Files.copy(file, copy);
            }
        }
        return base;
    }

    private static String onBase(String base, String more) {
        return """
        {'steps': 2, 'batch': 4, 'base': '%s', 'size': 16, 'captionTokens': 8, %s
         'optimizer': {'warmUp': 1}, 'lora': {'rank': 2}, 'showEvery': 1,
         'samples': {'prompts': ['red']}}
        """
                .formatted(base, more);
    }

    /** The result has plain weights, whatever the variant was. */
    @Test
    void weightsOfAVariantAreAdapted() throws IOException {
        Path plain = train(Stage.Kind.LORA, "plain", onBase("teacher", ""));
        Path base = copyOfTheTeacher("half");
        List<String> parts =
                List.of(
                        "vae/diffusion_pytorch_model",
                        "transformer/diffusion_pytorch_model",
                        "text_encoder/model");
        for (String part : parts) {
            Files.move(
                    base.resolve(part + ".safetensors"), base.resolve(part + ".fp16.safetensors"));
        }
        Files.writeString(base.resolve("vae/diffusion_pytorch_model.safetensors"), "not these");
        Path out = train(Stage.Kind.LORA, "of-half", onBase("half", "'variant': 'fp16',"));
        assertSamples(out, SampleRequest.of("a red square on blue"));
        for (String part : parts) {
            String weights = part + ".safetensors";
            assertArrayEquals(
                    Files.readAllBytes(plain.resolve(weights)),
                    Files.readAllBytes(out.resolve(weights)),
                    weights);
            assertFalse(Files.exists(out.resolve(part + ".fp16.safetensors")));
        }
        assertRefuses(
                Stage.Kind.LORA, onBase("half", "'variant': 'bf16',"), "base", "bf16", "fp16");
        Files.delete(base.resolve("vae/diffusion_pytorch_model.safetensors"));
        var stage = stage(Stage.Kind.LORA, "without", onBase("half", ""));
        var refused =
                assertThrows(
                        IOException.class,
                        () -> stage.run(root.resolve("without"), RunListener.NONE));
        assertTrue(refused.getMessage().contains("variant fp16"), refused.getMessage());
    }

    /** Before anything is loaded. */
    @Test
    void aBadBaseIsRefusedAtOnce() throws IOException {
        Path base = copyOfTheTeacher("bad");
        Files.writeString(base.resolve("darkroom.json"), "{\"steps\": 0}");
        assertRefuses(Stage.Kind.LORA, onBase("bad", ""), "darkroom.json", "not 0");
        Files.delete(base.resolve("darkroom.json"));
        Path index = base.resolve("model_index.json");
        String json = Files.readString(index);
        Files.writeString(index, json.replace("T5EncoderModel", "CLIPTextModel"));
        assertRefuses(
                Stage.Kind.LORA,
                onBase("bad", ""),
                "base: ",
                "text_encoder is of class CLIPTextModel; supported is T5EncoderModel");
        Files.writeString(index, json.replace("PixArtAlphaPipeline", "MysteryPipeline"));
        assertRefuses(Stage.Kind.LORA, onBase("bad", ""), "base: ", "MysteryPipeline");
    }

    /** With an old class, leftovers of conversions, and what nobody knows. */
    @Test
    void aPublishedCheckpointIsAdapted() throws IOException {
        Path base = copyOfTheTeacher("published");
        Path config = base.resolve("transformer/config.json");
        Files.writeString(
                config,
                Files.readString(config)
                        .replace("PixArtTransformer2DModel", "Transformer2DModel")
                        .replaceFirst("\\{", "{\"sauce\": 1, \"nothing\": null,"));
        Path scheduler = base.resolve("scheduler/scheduler_config.json");
        Files.writeString(
                scheduler, Files.readString(scheduler).replaceFirst("\\{", "{\"sauce\": 2,"));
        Path weights = base.resolve("transformer/diffusion_pytorch_model.safetensors");
        try (var scope = TensorScope.open()) {
            var tensors = new TreeMap<String, Tensor>();
            try (var file = Safetensors.open(weights, LoadMode.READ)) {
                for (String name : file.names()) {
                    tensors.put(name, file.tensor(name));
                }
            }
            tensors.put("caption_projection.y_embedding", Tensor.ones(DType.FLOAT32, 8, 16));
            tensors.put("stray", Tensor.ones(DType.FLOAT32, 1));
            SafetensorsWriter.write(weights, tensors, Map.of());
        }
        var warnings = new ArrayList<String>();
        var stage =
                stage(
                        Stage.Kind.LORA,
                        "published-adapted",
                        """
                        {'steps': 2, 'batch': 4, 'base': 'published', 'size': 16,
                         'captionTokens': 8, 'optimizer': {'warmUp': 1}, 'lora': {'rank': 2}}
                        """);
        var listener =
                new RunListener() {
                    @Override
                    public void warned(String warning) {
                        warnings.add(warning);
                    }
                };
        Path out = root.resolve("published-adapted");
        assertEquals(End.FINISHED, stage.run(out, listener));
        assertEquals(
                List.of(
                        scheduler + ": an option that is not known and without effect: sauce (2)",
                        config + ": an option that is not known and without effect: sauce (1)",
                        weights + " has more than PixArtTransformer needs; 1 ignored: stray"),
                warnings);
        assertSamples(out, SampleRequest.of("a red square on blue"));
    }

    @Test
    void classesAreTrained() throws IOException {
        Path classes =
                train(
                        Stage.Kind.DIFFUSION,
                        "classes",
                        """
                        {'steps': 3, 'batch': 4, 'size': 16, 'vae': 'vae/vae',
                         'optimizer': {'warmUp': 1},
                         'transformer': {'_class_name': 'DiTTransformer2DModel',
                                         'num_attention_heads': 2, 'attention_head_dim': 8,
                                         'num_layers': 1},
                         'objective': {'times': 'uniform'},
                         'scheduler': {'_class_name': 'DPMSolverMultistepScheduler',
                                       'prediction_type': 'flow_prediction',
                                       'use_flow_sigmas': true}}
                        """);
        assertEquals(Defaults.NONE, Defaults.read(classes));
        assertSamples(
                classes, SampleRequest.builder().classes(List.of("a red square on blue")).build());
    }

    @Test
    void flowMapsAreTrained() throws IOException {
        String config =
                """
                {'steps': 3, 'batch': 4, 'size': 16, 'vae': 'vae/vae',
                 'optimizer': {'warmUp': 1},
                 'transformer': {'_class_name': 'DiTTransformer2DModel',
                                 'num_attention_heads': 2, 'attention_head_dim': 8,
                                 'num_layers': 1, 'gate_value': 0.25},
                 'objective': {'instantaneous': 0.5},
                 'scheduler': {'_class_name': 'FlowMapEulerDiscreteScheduler'}}
                """;
        var request = SampleRequest.builder().classes(List.of("a red square on blue"));
        assertSamples(train(Stage.Kind.DIFFUSION, "mean-flow", config), request.build());
        String shortcut = config.replace("{'inst", "{'flowMap': 'shortcut', 'finest': 8, 'inst");
        Path trained = train(Stage.Kind.DIFFUSION, "shortcut", shortcut);
        assertSamples(trained, request.steps(1).build());
        String key = "transformer_blocks.0.norm1.emb.delta_embedder.linear_2.bias";
        try (var scope = TensorScope.open();
                var file =
                        Safetensors.open(
                                trained.resolve("transformer/diffusion_pytorch_model.safetensors"),
                                LoadMode.READ)) {
            assertTrue(file.names().contains(key), () -> "" + file.names());
        }
        String ofOneTime = config.replace(", 'gate_value': 0.25", "");
        var refused =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> train(Stage.Kind.DIFFUSION, "one-time", ofOneTime));
        assertTrue(refused.getMessage().contains("network of two times"), refused.getMessage());
        assertRefuses(
                Stage.Kind.DIFFUSION, config.replace("0.5", "1.5"), "objective", "from 0 to 1");
        assertRefuses(Stage.Kind.DIFFUSION, shortcut.replace("8, 'inst", "6, 'inst"), "power of 2");
        assertRefuses(
                Stage.Kind.DIFFUSION,
                config.replace("{'inst", "{'flowMap': 'consistency', 'inst"),
                "flowMap",
                "shortcut");
        assertRefuses(
                Stage.Kind.DIFFUSION,
                config.replace("FlowMapEuler", "FlowMatchEuler"),
                "instantaneous",
                "say which flowMap is trained");
        assertRefuses(
                Stage.Kind.DIFFUSION,
                config.replace("{'inst", "{'finest': 8, 'inst"),
                "finest has no effect on mean-flow");
    }

    /** Which was trained without it, whatever the config said. */
    @Test
    void aNetworkThatIsConditionedOnTheSizeIsNotTrainedYet() throws IOException {
        var stage =
                stage(
                        Stage.Kind.DIFFUSION,
                        "sized",
                        diffusion(6)
                                .replace(
                                        "'num_layers': 2",
                                        "'num_layers': 2, 'use_additional_conditions': true")
                                .replace("'attention_head_dim': 8", "'attention_head_dim': 12"));
        long live = Memory.liveTensors();
        var refused =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> stage.run(root.resolve("sized"), RunListener.NONE));
        assertTrue(
                refused.getMessage().contains("use_additional_conditions"), refused.getMessage());
        assertEquals(live, Memory.liveTensors());
    }

    /** Stops after a number of steps. */
    private record StoppingAfter(long[] left) implements RunListener {
        @Override
        public void stepped(StepReport report) {
            left[0]--;
        }

        @Override
        public boolean isStopping() {
            return left[0] == 0;
        }
    }

    @Test
    void aStoppedRunEndsAsOneThatWasNot() throws IOException {
        Path out = root.resolve("stopped");
        var config = diffusion(6);
        var stopping = new StoppingAfter(new long[] {3});
        assertEquals(
                End.STOPPED, stage(Stage.Kind.DIFFUSION, "stopped", config).run(out, stopping));
        train(Stage.Kind.DIFFUSION, "stopped", config);
        for (String part :
                List.of(
                        "transformer/diffusion_pytorch_model.safetensors",
                        "text_encoder/model.safetensors")) {
            assertArrayEquals(
                    Files.readAllBytes(teacher.resolve(part)),
                    Files.readAllBytes(out.resolve(part)),
                    part);
        }
        Path other = root.resolve("stopped.json");
        Files.writeString(other, Files.readString(other).replace("0.002", "0.003"));
        var changed = Stage.read(Stage.Kind.DIFFUSION, other, data);
        var refused =
                assertThrows(TrainingException.class, () -> changed.run(out, RunListener.NONE));
        assertTrue(
                refused.getMessage().contains("optimizer.learningRate was 0.002 and is 0.003"),
                refused.getMessage());
    }

    private static String refusal(Stage.Kind kind, String config) {
        return assertThrows(Exception.class, () -> stage(kind, "refused", config)).getMessage();
    }

    private static void assertRefuses(Stage.Kind kind, String config, String... expected) {
        String message = refusal(kind, config);
        for (String part : expected) {
            assertTrue(message.contains(part), message);
        }
    }

    @Test
    void whatIsWrongIsNamed() {
        assertRefuses(
                Stage.Kind.VAE,
                autoencoder().replace("'warmUp'", "'warmup'"),
                "refused.json",
                "optimizer",
                "warmup");
        assertRefuses(Stage.Kind.VAE, autoencoder().replace("'batch'", "'bach'"), "bach");
        assertRefuses(
                Stage.Kind.VAE, autoencoder().replace("'crop': 8", "'crop': 7"), "crop", "2", "7");
        assertRefuses(Stage.Kind.DIFFUSION, "{}", "scheduler is missing");
        assertRefuses(
                Stage.Kind.DIFFUSION,
                diffusion(6).replace("PixArtTransformer2DModel", "UNet2DConditionModel"),
                "_class_name",
                "UNet2DConditionModel");
        assertRefuses(
                Stage.Kind.DIFFUSION, diffusion(6).replace("vae/vae", "nowhere"), "vae", "nowhere");
        assertRefuses(
                Stage.Kind.DIFFUSION,
                diffusion(6).replace("'transformer'", "'unet'"),
                "transformer is missing");
        assertRefuses(
                Stage.Kind.DIFFUSION,
                diffusion(6)
                        .replace("'captionTokens'", "'objective':{'coupling':'x'},'captionTokens'"),
                "objective",
                "coupling");
        assertRefuses(
                Stage.Kind.DIFFUSION,
                diffusion(6).replace("'guidance': 2", "'guidance': 1e30"),
                "defaults",
                "the guidance scale must be 0 to 1000");
        assertRefuses(
                Stage.Kind.DISTILL,
                "{'teacher': 'vae', 'size': 16}",
                "teacher",
                "model_index.json");
    }
}
