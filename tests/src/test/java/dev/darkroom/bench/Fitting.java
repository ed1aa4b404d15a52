package dev.darkroom.bench;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.CheckpointWriter;
import dev.darkroom.models.checkpoint.Library;
import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.checkpoint.WeightFormat;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.family.pixart.PixArtTransformer;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * What fitting a checkpoint into memory costs, for docs/memory.md.
 *
 * <ul>
 *   <li>{@code make FOLDER LIKE}: a checkpoint with random weights in bfloat16, of which text
 *       encoder, denoiser and autoencoder take about 1 GB each in float32; the rest is LIKE's.
 *   <li>{@code float8 FOLDER LIKE plain|scaled}: LIKE with the matrices in blocks as float8.
 *   <li>{@code sample FOLDER OFFLOAD WEIGHTS DTYPE}: two requests, their seconds and the peak of
 *       the process.
 *   <li>{@code compare EXPECTED ACTUAL WEIGHTS DTYPE SEEDS PROMPT…}: how pictures differ from those
 *       of float32.
 * </ul>
 */
public final class Fitting {
    private static final String TEXT =
            """
            {"d_model": 1024, "d_ff": 4096, "d_kv": 64, "num_heads": 16, "num_layers": 15,
             "feed_forward_proj": "gated-gelu", "relative_attention_num_buckets": 32,
             "vocab_size": 256}
            """;

    private static final String TRANSFORMER =
            """
            {"_class_name": "PixArtTransformer2DModel", "num_layers": 12,
             "num_attention_heads": 16, "attention_head_dim": 72, "in_channels": 4,
             "out_channels": 8, "sample_size": 8, "caption_channels": 1024,
             "cross_attention_dim": 1152, "use_additional_conditions": false}
            """;

    private static final String VAE =
            """
            {"_class_name": "AutoencoderKL", "latent_channels": 4, "layers_per_block": 2,
             "block_out_channels": [224, 448, 896, 896], "norm_num_groups": 32,
             "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D",
             "DownEncoderBlock2D", "DownEncoderBlock2D"],
             "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D",
             "UpDecoderBlock2D"]}
            """;

    private Fitting() {}

    /** Runs one of the commands that the class comment lists. */
    public static void main(String[] arguments) throws IOException {
        Path folder = Path.of(arguments[1]);
        switch (arguments[0]) {
            case "make" -> make(folder, Path.of(arguments[2]));
            case "float8" -> float8(folder, Path.of(arguments[2]), arguments[3].equals("scaled"));
            case "sample" -> sample(folder, options(arguments[2], arguments[3], arguments[4]));
            case "compare" ->
                    compare(
                            folder,
                            Path.of(arguments[2]),
                            options("off", arguments[3], arguments[4]),
                            Integer.parseInt(arguments[5]),
                            List.of(arguments).subList(6, arguments.length));
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    private static PipelineOptions options(String offload, String weights, String dtype) {
        return PipelineOptions.defaults()
                .withOffload(Offload.valueOf(offload.toUpperCase(Locale.ROOT)))
                .withWeights(WeightFormat.valueOf(weights.toUpperCase(Locale.ROOT)))
                .withDtype(DType.valueOf(dtype.toUpperCase(Locale.ROOT)));
    }

    // ---- Making checkpoints ----

    private static void make(Path folder, Path like) throws IOException {
        copy(like, folder, "text_encoder", "transformer", "vae");
        part(folder, "text_encoder", Library.TRANSFORMERS, TEXT, T5Config::of, T5Encoder::new);
        part(
                folder,
                "transformer",
                Library.DIFFUSERS,
                TRANSFORMER,
                PixArtConfig::of,
                PixArtTransformer::new);
        part(folder, "vae", Library.DIFFUSERS, VAE, AutoencoderKlConfig::of, AutoencoderKl::new);
    }

    /** Makes a network of a config. */
    private interface Constructor<C, M extends Module> {
        M of(Weights w, C config);
    }

    private static <C, M extends Module> void part(
            Path folder,
            String name,
            Library library,
            String config,
            Function<ConfigReader, C> reader,
            Constructor<C, M> constructor)
            throws IOException {
        var json = JsonMapper.builder().build().readValue(config, ObjectNode.class);
        C read = ConfigReader.of(json, reader);
        Path part = Files.createDirectories(folder.resolve(name));
        try (M network =
                Weights.random(1, DType.BFLOAT16, Device.CPU, w -> constructor.of(w, read))) {
            CheckpointWriter.network(part, library, json, network, DType.BFLOAT16);
        }
    }

    /** Copies a checkpoint's files, but not those of some parts. */
    private static void copy(Path from, Path to, String... without) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path name = from.relativize(file);
                if (!List.of(without).contains(name.getName(0).toString())) {
                    Path copy = to.resolve(name.toString());
                    Files.createDirectories(copy.getParent());
                    Files.copy(file, copy);
                }
            }
        }
    }

    /** Writes matrices in numbered blocks of text encoder and transformer as float8. */
    private static void float8(Path folder, Path like, boolean scaled) throws IOException {
        copy(like, folder);
        for (String file :
                List.of(
                        "text_encoder/model.safetensors",
                        "transformer/diffusion_pytorch_model.safetensors")) {
            try (var scope = TensorScope.open();
                    var stored = Safetensors.open(like.resolve(file), LoadMode.READ)) {
                Map<String, Tensor> tensors = new LinkedHashMap<>();
                for (String name : stored.names()) {
                    Tensor tensor = stored.tensor(name);
                    boolean isMatrix =
                            tensor.rank() == 2
                                    && name.endsWith(".weight")
                                    && name.matches(".*\\.\\d+\\..*")
                                    && !name.contains("relative_attention_bias");
                    if (isMatrix && scaled) {
                        Tensor scale = tensor.abs().max().to(DType.FLOAT32).dividedBy(448);
                        String module = name.substring(0, name.length() - "weight".length());
                        tensors.put(module + "scale_weight", scale);
                        tensor = tensor.to(DType.FLOAT32).dividedBy(scale);
                    }
                    tensors.put(name, isMatrix ? tensor.to(DType.FLOAT8_E4M3FN) : tensor);
                }
                Files.delete(folder.resolve(file));
                SafetensorsWriter.write(folder.resolve(file), tensors, Map.of("format", "pt"));
            }
        }
    }

    // ---- Measuring ----

    private static void sample(Path folder, PipelineOptions options) throws IOException {
        long begin = System.nanoTime();
        try (var pipeline = Pipeline.load(folder, options)) {
            System.out.printf(Locale.ROOT, "loaded in %.2f s%n", seconds(begin));
            for (int i = 0; i < 2; i++) {
                var request =
                        SampleRequest.builder()
                                .prompt("a red heart")
                                .width(64)
                                .height(64)
                                .binning(false)
                                .steps(4)
                                .build();
                var result = pipeline.sample(request);
                System.out.printf(
                        Locale.ROOT,
                        "picture %08x, seconds %s%n",
                        Arrays.hashCode(result.pictures().getFirst().rgb()),
                        result.seconds());
            }
        }
        System.out.printf("libtorch allocated at most %d MiB%n", peak());
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM")) {
                System.out.println(line);
            }
        }
    }

    private static long peak() {
        return Memory.stats(Device.CPU).peak() >> 20;
    }

    private static double seconds(long since) {
        return (System.nanoTime() - since) / 1e9;
    }

    private static void compare(
            Path expected, Path actual, PipelineOptions options, int seeds, List<String> prompts) {
        double squares = 0;
        long count = 0;
        int most = 0;
        try (var exact = Pipeline.load(expected, options("off", "computed", "float32"));
                var rounded = Pipeline.load(actual, options)) {
            for (String prompt : prompts) {
                for (int seed = 0; seed < seeds; seed++) {
                    var request = SampleRequest.builder().prompt(prompt).seed(seed).build();
                    byte[] a = exact.sample(request).pictures().getFirst().rgb();
                    byte[] b = rounded.sample(request).pictures().getFirst().rgb();
                    for (int i = 0; i < a.length; i++) {
                        int difference = Math.abs((a[i] & 0xff) - (b[i] & 0xff));
                        most = Math.max(most, difference);
                        squares += (double) difference * difference;
                    }
                    count += a.length;
                }
            }
        }
        System.out.printf(
                Locale.ROOT,
                "%s %s: %.1f dB, at most %d of 255%n",
                actual.getFileName(),
                options.weights(),
                10 * Math.log10(255.0 * 255.0 * count / squares),
                most);
    }
}
