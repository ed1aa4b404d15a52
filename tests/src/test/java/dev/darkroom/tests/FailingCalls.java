package dev.darkroom.tests;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.Diagnosis;
import dev.darkroom.runtime.LibtorchException;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Threads;
import dev.darkroom.training.run.RunListener;
import dev.darkroom.training.run.StepReport;
import dev.darkroom.training.run.TrainingException;
import dev.darkroom.training.stage.Stage;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import javax.imageio.ImageIO;

/**
 * Lets the n-th call of the shim fail, for every n, while a checkpoint is loaded, a picture sampled
 * and a step trained. After each failure nothing is left, and the next run gives what it gave
 * before. The main method of a JVM whose shim is {@code native/tests/failing.c}.
 */
@SuppressWarnings("restricted")
final class FailingCalls {
    /** libtorch's exhausted memory, and a failure of no special kind. */
    private static final int[] CODES = {3, 1};

    private static final String VAE =
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

    /** What is done again and again, and gives the same each time. */
    @FunctionalInterface
    private interface Use {
        Object run() throws Exception;
    }

    private final MethodHandle fail;
    private final MethodHandle calls;
    private final double seconds;
    private final List<String> faults = new ArrayList<>();

    private FailingCalls(Path library, double seconds) {
        Diagnosis.loaded(); // what the library needs
        SymbolLookup symbols = SymbolLookup.libraryLookup(library, Arena.global());
        var linker = Linker.nativeLinker();
        fail =
                linker.downcallHandle(
                        symbols.find("dr_fail_call").orElseThrow(),
                        FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
        calls =
                linker.downcallHandle(
                        symbols.find("dr_calls").orElseThrow(),
                        FunctionDescriptor.of(ValueLayout.JAVA_LONG));
        this.seconds = seconds;
    }

    /** Arguments: the case of a checkpoint, seconds for each use (every n if 0), names of uses. */
    public static void main(String[] arguments) throws Exception {
        Path root = Path.of("").toAbsolutePath();
        Threads.set(1);
        Path model = Path.of(arguments[0]);
        var attack =
                new FailingCalls(
                        Path.of(System.getProperty("darkroom.shim")),
                        Double.parseDouble(arguments[1]));
        for (String name : List.of(arguments).subList(2, arguments.length)) {
            switch (name) {
                case "load" -> attack.run(name, () -> load(model));
                case "sample" -> {
                    try (var pipeline = open(model)) {
                        attack.run(name, () -> picture(pipeline));
                    }
                }
                case "train" -> {
                    pictures(root.resolve("data"));
                    train(root, Stage.Kind.TOKENIZER, "tokenizer", "{\"vocabularySize\": 30}");
                    train(root, Stage.Kind.VAE, "vae", VAE);
                    attack.run("train vae", () -> train(root, Stage.Kind.VAE, "v", VAE));
                    attack.run(
                            "train diffusion",
                            () -> train(root, Stage.Kind.DIFFUSION, "diffusion", DIFFUSION));
                }
                default -> throw new IllegalArgumentException(name);
            }
        }
        attack.faults.forEach(System.out::println);
        System.exit(attack.faults.isEmpty() ? 0 : 1);
    }

    private void run(String name, Use use) throws Exception {
        use.run();
        Object expected = use.run();
        long tensors = Memory.liveTensors();
        long bytes = Memory.liveBytes();
        long begin = System.nanoTime();
        failCall(0, 0);
        use.run();
        long all = calls();
        double time = (System.nanoTime() - begin) / 1e9;
        // A failure and the run after it take two runs' time at most.
        long step = seconds == 0 ? 1 : 1 + (long) (2 * time * all / seconds);
        Map<String, Integer> outcomes = new TreeMap<>();
        int failed = 0;
        for (long n = 1 + step / 2; n <= all; n += step) {
            failed++;
            String outcome;
            Object result = expected;
            failCall(n, CODES[failed % CODES.length]);
            try {
                result = use.run();
                outcome = "no exception";
            } catch (LibtorchException | PipelineException | TrainingException e) {
                outcome = e.getClass().getSimpleName();
            } catch (Throwable e) {
                outcome = e.getClass().getName();
                fault(name, n, "untyped " + trace(e));
            } finally {
                failCall(0, 0);
            }
            outcomes.merge(outcome, 1, Integer::sum);
            if (!expected.equals(result)) {
                fault(name, n, "the failure went unnoticed and changed the result");
            }
            if (Memory.liveTensors() != tensors || Memory.liveBytes() != bytes) {
                fault(
                        name,
                        n,
                        outcome
                                + " left "
                                + (Memory.liveTensors() - tensors)
                                + " tensors, "
                                + (Memory.liveBytes() - bytes)
                                + " bytes");
                tensors = Memory.liveTensors();
                bytes = Memory.liveBytes();
            }
            if (!expected.equals(use.run())) {
                fault(name, n, "the next result differs, after " + outcome);
            }
        }
        System.out.printf(
                "%s: %d native calls, %d failed one by one: %s; %d faults%n",
                name, all, failed, outcomes, faults.size());
    }

    private void fault(String name, long n, String what) {
        faults.add(name + ", call " + n + ": " + what);
    }

    private static String trace(Throwable e) {
        var text = new StringBuilder(e.toString());
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            for (StackTraceElement element : cause.getStackTrace()) {
                text.append("\n    ").append(element);
            }
            text.append("\n  from ").append(cause.getCause());
        }
        return text.toString();
    }

    private void failCall(long n, int code) {
        try {
            fail.invokeExact(n, code);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private long calls() {
        try {
            return (long) calls.invokeExact();
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    // ---- What is done ----

    private static Pipeline open(Path model) {
        return Pipeline.load(model, PipelineOptions.defaults().withThreads(1));
    }

    private static Object load(Path model) {
        try (var pipeline = open(model)) {
            return picture(pipeline);
        }
    }

    private static Object picture(Pipeline pipeline) {
        var request =
                SampleRequest.builder()
                        .prompt("a dog")
                        .seed(7)
                        .steps(2)
                        .width(16)
                        .height(16)
                        .maxTokens(24)
                        .binning(false)
                        .build();
        return ByteBuffer.wrap(pipeline.sample(request).pictures().getFirst().rgb());
    }

    /** A run of one step from its beginning: its loss and gradient. */
    private static Object train(Path root, Stage.Kind kind, String name, String config)
            throws IOException {
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

    private static void pictures(Path folder) throws IOException {
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
