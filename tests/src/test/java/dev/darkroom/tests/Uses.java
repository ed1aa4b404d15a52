package dev.darkroom.tests;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.run.StepReport;
import dev.darkroom.training.stage.Stage;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import javax.imageio.ImageIO;

/**
 * What is done again and again while something is made to fail, and gives the same each time: a
 * checkpoint loaded, a picture sampled, a step trained.
 */
final class Uses implements AutoCloseable {
    /** One of them. */
    @FunctionalInterface
    interface Use {
        Object run() throws Exception;
    }

    static final String VAE =
            """
            {"steps": 1, "batch": 2, "size": 16, "crop": 8, "wholeBatch": 2, "showEvery": 1,
             "optimizer": {"warmUp": 0, "learningRate": 0.002, "muonLearningRate": 0.02,
                           "averageDecay": 0.9},
             "vae": {"block_out_channels": [8, 16], "layers_per_block": 1, "norm_num_groups": 2,
                     "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D"],
                     "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D"],
                     "mid_block_add_attention": false}}
            """;

    private static final String DIFFUSION =
            """
            {"steps": 1, "batch": 2, "size": 16, "dtype": "bfloat16", "captionTokens": 8,
             "vae": "vae/vae", "tokenizer": "tokenizer/tokenizer", "showEvery": 1,
             "optimizer": {"warmUp": 0, "learningRate": 0.002, "muonLearningRate": 0.02,
                           "averageDecay": 0.9},
             "transformer": {"_class_name": "PixArtTransformer2DModel", "num_attention_heads": 2,
                             "attention_head_dim": 8, "num_layers": 1},
             "text_encoder": {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1,
                              "num_heads": 2, "feed_forward_proj": "gated-gelu"},
             "scheduler": {"_class_name": "DPMSolverMultistepScheduler",
                           "prediction_type": "v_prediction"},
             "samples": {"prompts": ["red"], "steps": 2}}
            """;

    private final Path model;
    private final Path root;
    private final List<Pipeline> opened = new ArrayList<>();

    /**
     * @param model a tiny checkpoint of PixArt
     */
    Uses(Path model, Path root) {
        this.model = model;
        this.root = root;
    }

    /** One by its name, with what it needs. */
    Use named(String name) throws IOException {
        switch (name) {
            case "load" -> {
                return this::load;
            }
            case "sample" -> {
                Pipeline pipeline = open();
                opened.add(pipeline);
                return () -> picture(pipeline, 16);
            }
            case "train vae" -> {
                pictures(root.resolve("data"));
                return () -> train(Stage.Kind.VAE, "v", VAE);
            }
            case "train diffusion" -> {
                pictures(root.resolve("data"));
                train(Stage.Kind.TOKENIZER, "tokenizer", "{\"vocabularySize\": 30}");
                train(Stage.Kind.VAE, "vae", VAE);
                return () -> train(Stage.Kind.DIFFUSION, "diffusion", DIFFUSION);
            }
            default -> throw new IllegalArgumentException(name);
        }
    }

    @Override
    public void close() {
        opened.forEach(Pipeline::close);
    }

    Pipeline open() {
        return Pipeline.load(model, PipelineOptions.defaults().withThreads(1));
    }

    private Object load() {
        try (var pipeline = open()) {
            return picture(pipeline, 16);
        }
    }

    /** A square picture. */
    static Object picture(Pipeline pipeline, int size) {
        var request =
                SampleRequest.builder()
                        .prompt("a dog")
                        .seed(7)
                        .steps(2)
                        .width(size)
                        .height(size)
                        .maxTokens(24)
                        .binning(false)
                        .build();
        return ByteBuffer.wrap(pipeline.sample(request).pictures().getFirst().rgb());
    }

    /** A run of one step from its beginning: its loss and gradient. */
    private Object train(Stage.Kind kind, String name, String config) throws IOException {
        Path out = root.resolve(name);
        delete(out);
        Path file = root.resolve(name + ".json");
        Files.writeString(file, config);
        var losses = new ArrayList<>();
        Stage.read(kind, file, root.resolve("data"))
                .run(
                        out,
                        new RunListener() {
                            @Override
                            public void stepped(StepReport report) {
                                losses.add(report.loss());
                                losses.add(report.gradientNorm());
                            }
                        });
        return losses;
    }

    private static void delete(Path folder) throws IOException {
        if (Files.exists(folder)) {
            List<Path> files;
            try (var walk = Files.walk(folder)) {
                files = walk.toList();
            }
            for (Path file : files.reversed()) {
                Files.delete(file);
            }
        }
    }

    static void pictures(Path folder) throws IOException {
        Files.createDirectories(folder);
        for (int i = 0; i < 4; i++) {
            var picture = new BufferedImage(16, 16, BufferedImage.TYPE_INT_RGB);
            for (int pixel = 0; pixel < 256; pixel++) {
                picture.setRGB(pixel % 16, pixel / 16, pixel * 0x010204 * (i + 1));
            }
            ImageIO.write(picture, "png", folder.resolve(i + ".png").toFile());
            Files.writeString(folder.resolve(i + ".txt"), "picture " + "abcd".charAt(i));
        }
    }
}
