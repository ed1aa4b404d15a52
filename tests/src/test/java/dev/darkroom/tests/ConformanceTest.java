package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.diffusion.ClassifierFree;
import dev.darkroom.models.diffusion.NoiseLevel;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.models.diffusion.diffusers.LevelChoice;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.diffusion.diffusers.SchedulerArguments;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.family.Size;
import dev.darkroom.models.family.SizeCondition;
import dev.darkroom.models.family.dit.DitConfig;
import dev.darkroom.models.family.dit.DitTransformer;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.family.pixart.PixArtText;
import dev.darkroom.models.family.pixart.PixArtTransformer;
import dev.darkroom.models.lora.Lora;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.Sampling;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.models.vae.DiagonalGaussian;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.testing.PackedFiles;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.Tokenizers;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * Every reference case of a kind that Darkroom knows, against what diffusers and transformers
 * computed from it. {@code -Ddarkroom.cases=DIR} names another folder of cases, of another seed,
 * say.
 */
class ConformanceTest {
    /** The seed of the generator that the cases drew the samplers' noise from. */
    private static final long NOISE_SEED = 7;

    /** What the name of a picture begins with that guidance was rescaled for. */
    private static final String RESCALED = "image_rescale_";

    private static final ObjectMapper JSON = new ObjectMapper();

    /** What is done with a case. */
    private interface Check {
        void run(Path folder, JsonNode call, Comparison comparison) throws IOException;
    }

    /** By the class that {@code case.json} names; null for one that is not known. */
    private static @Nullable Check check(String pipeline) {
        return switch (pipeline) {
            case "PixArtAlphaPipeline", "PixArtSigmaPipeline" -> ConformanceTest::pipeline;
            case "DiTPipeline" -> ConformanceTest::dit;
            case "StableDiffusionPipeline",
                    "StableDiffusionXLPipeline",
                    "LatentConsistencyModelPipeline",
                    "DDPMPipeline",
                    "ConsistencyModelPipeline" ->
                    ConformanceTest::variants;
            case "StableDiffusionImg2ImgPipeline",
                    "StableDiffusionXLImg2ImgPipeline",
                    "StableDiffusionInpaintPipeline",
                    "LatentConsistencyModelImg2ImgPipeline" ->
                    ConformanceTest::edits;
            case "StableDiffusionUpscalePipeline" -> ConformanceTest::editsAlone;
            case "StableDiffusionControlNetPipeline", "StableDiffusionXLControlNetPipeline" ->
                    ConformanceTest::controls;
            default -> null;
        };
    }

    @TestFactory
    Stream<DynamicTest> equalsDiffusers(@TempDir Path unpacked) throws IOException {
        List<DynamicTest> tests = new ArrayList<>();
        List<String> unknown = new ArrayList<>();
        for (Path folder : Cases.all()) {
            String name = folder.getFileName().toString();
            if (name.equals("tokenizers")) {
                tests.add(DynamicTest.dynamicTest(name, () -> tokenizers(folder, unpacked)));
                continue;
            }
            JsonNode call = JSON.readTree(folder.resolve("case.json").toFile());
            Check check =
                    name.equals("lora")
                            ? ConformanceTest::adapter
                            : check(call.path("pipeline").asText());
            if (check != null) {
                tests.add(DynamicTest.dynamicTest(name, () -> run(folder, call, check)));
            } else if (!name.startsWith("schedulers") && !name.equals("guiders")) { // others' tests
                unknown.add(name);
            }
        }
        if (!unknown.isEmpty()) {
            System.out.println("cases of a kind that is not supported: " + unknown);
        }
        assertFalse(tests.isEmpty(), "no case in " + Cases.folder().toAbsolutePath());
        return tests.stream();
    }

    private static void run(Path folder, JsonNode call, Check check) throws IOException {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var comparison = new Comparison(folder.resolve("expected.safetensors"))) {
            check.run(folder, call, comparison);
            System.out.println(comparison.report(folder.getFileName().toString()));
        }
        assertEquals(before, Memory.liveTensors());
    }

    private static void pipeline(Path folder, JsonNode call, Comparison comparison)
            throws IOException {
        Tensor start = comparison.input("latents_init");
        try (var pipeline = Pipeline.load(folder.resolve("model"), PipelineOptions.defaults())) {
            pipeline.sample(request(call), new Comparing(comparison), start);
        }
    }

    /**
     * A pipeline's call and its variants: other calls of the same pipeline, whose tensors have the
     * variant's name before theirs where they differ. A picture alone is that of another rescaling.
     */
    private static void variants(Path folder, JsonNode call, Comparison comparison)
            throws IOException {
        try (var pipeline = Pipeline.load(folder.resolve("model"), PipelineOptions.defaults())) {
            sample(pipeline, folder, call, "", comparison);
            for (String picture : comparison.namesBeginning(RESCALED)) {
                double rescale = Double.parseDouble(picture.substring(RESCALED.length()));
                var rescaled = ((ObjectNode) call.deepCopy()).put("guidance_rescale", rescale);
                Tensor start = comparison.input("latents_init");
                var monitor =
                        new Comparing(comparison, name -> name.equals("image") ? picture : "none");
                pipeline.sample(request(rescaled), monitor, start);
            }
            for (var variant : call.path("variants").properties()) {
                ObjectNode changed = call.deepCopy();
                changed.setAll((ObjectNode) variant.getValue());
                sample(pipeline, folder, changed, variant.getKey() + ".", comparison);
            }
        }
    }

    /** Samples from the start that is given; diffusers' DDPM takes none, but draws its own. */
    private static void sample(
            Pipeline pipeline, Path folder, JsonNode call, String prefix, Comparison comparison)
            throws IOException {
        SampleRequest request = request(call);
        boolean drawn = call.get("pipeline").asText().equals("DDPMPipeline");
        String own = prefix + "latents_init";
        Tensor start =
                drawn ? null : comparison.input(comparison.expects(own) ? own : "latents_init");
        if (comparison.expects(prefix + "input_noise")) {
            comparison.input(prefix + "input_noise"); // the start before it is scaled
        }
        if (comparison.expects(prefix + "sigmas")) {
            comparison.compare(prefix + "sigmas", sigmas(folder, request.sampling()));
        }
        pipeline.sample(request, new Comparing(comparison, name -> prefix + name), start);
    }

    /** The noise levels of a consistency model. */
    private static Tensor sigmas(Path folder, Sampling sampling) throws IOException {
        Path config = folder.resolve("model/scheduler/scheduler_config.json");
        SamplingPlan plan =
                Scheduler.read(config)
                        .plan(
                                sampling.steps(),
                                SchedulerArguments.NONE.withLevels(sampling.levels()));
        double[] sigmas = plan.levels().stream().mapToDouble(NoiseLevel::sigma).toArray();
        return Tensor.copyOf(sigmas, sigmas.length);
    }

    /**
     * Calls that start from a picture, whose draws are those of the generator with seed 7, and what
     * the autoencoder makes of it.
     */
    private static void edits(Path folder, JsonNode call, Comparison comparison)
            throws IOException {
        encodings(folder.resolve("model/vae"), comparison);
        editsAlone(folder, call, comparison);
    }

    private static void editsAlone(Path folder, JsonNode call, Comparison comparison)
            throws IOException {
        Path model = folder.resolve("model");
        edit(model, call, "", comparison);
        for (var variant : call.path("variants").properties()) {
            ObjectNode changed = call.deepCopy();
            changed.setAll((ObjectNode) variant.getValue());
            edit(model, changed, variant.getKey() + ".", comparison);
        }
    }

    private static void encodings(Path part, Comparison comparison) throws IOException {
        Tensor picture = comparison.input("input_image").times(2).minus(1);
        posterior(part, comparison.input("input_image"), comparison);
        var config = AutoencoderKlConfig.read(part.resolve("config.json"));
        try (var vae = load(part, w -> new AutoencoderKl(w, config))) {
            if (comparison.expects("input_mask")) {
                Tensor left = comparison.input("input_mask").lt(0.5).to(DType.FLOAT32);
                DiagonalGaussian masked = vae.encode(picture.times(left));
                comparison.compare("masked_posterior_mean", masked.mean());
                comparison.compare("masked_posterior_logvar", masked.logVariance());
                Tensor noise = comparison.input("input_masked_encode_noise");
                Tensor std = masked.logVariance().times(0.5).exp();
                comparison.compare(
                        "masked_image_latents", vae.scaled(masked.mean().plus(std.times(noise))));
            }
        }
    }

    private static void posterior(Path part, Tensor picture, Comparison comparison)
            throws IOException {
        var config = AutoencoderKlConfig.read(part.resolve("config.json"));
        try (var vae = load(part, w -> new AutoencoderKl(w, config))) {
            DiagonalGaussian latents = vae.encode(picture.times(2).minus(1));
            comparison.compare("posterior_mean", latents.mean());
            comparison.compare("posterior_logvar", latents.logVariance());
        }
    }

    private static void edit(Path model, JsonNode call, String prefix, Comparison comparison)
            throws IOException {
        SampleRequest.Builder request = builder(call);
        String scheduler = call.path("scheduler").asText();
        Path folder =
                scheduler.isEmpty()
                        ? model
                        : withScheduler(model, scheduler.substring(0, scheduler.indexOf(' ')));
        Tensor start = null;
        if (call.has("denoising_start")) {
            start = comparison.input(prefix + "input_latents");
            request.start(call.get("denoising_start").asDouble());
        } else {
            request.edit(
                    new Edit(
                            Image.of(comparison.input("input_image")),
                            call.get("pipeline").asText().contains("Inpaint")
                                    ? Image.of(comparison.input("input_mask"))
                                    : null,
                            call.has("strength") ? call.get("strength").asDouble() : null,
                            call.has("noise_level") ? call.get("noise_level").asInt() : null));
        }
        try (var pipeline = Pipeline.load(folder, PipelineOptions.defaults())) {
            pipeline.sample(
                    request.build(), new Comparing(comparison, name -> prefix + name), start);
        }
    }

    /**
     * The same checkpoint with another scheduler, made as the case's: DDIM does not clip, and what
     * the first scheduler had not been given is the second's own.
     */
    private static Path withScheduler(Path model, String name) throws IOException {
        Path folder = Cases.linked(model);
        Path index = folder.resolve("model_index.json");
        var content = (ObjectNode) JSON.readTree(index.toFile());
        content.putArray("scheduler").add("diffusers").add(name);
        Files.delete(index);
        JSON.writeValue(index.toFile(), content);
        Path part = folder.resolve("scheduler");
        var config = (ObjectNode) JSON.readTree(part.resolve("scheduler_config.json").toFile());
        Files.delete(part);
        Files.createDirectory(part);
        JSON.writeValue(
                part.resolve("scheduler_config.json").toFile(),
                name.equals("DDIMScheduler")
                        ? config.put("_class_name", name).put("clip_sample", false)
                        : config.put("_class_name", name).put("timestep_spacing", "linspace"));
        return folder;
    }

    private static void controls(Path folder, JsonNode call, Comparison comparison)
            throws IOException {
        Path model = folder.resolve("model");
        var steered =
                new ControlCase(
                        model,
                        comparison,
                        ConformanceTest::builder,
                        names -> new Comparing(comparison, names));
        if (call.has("img2img")) {
            posterior(model.resolve("vae"), comparison.input("source"), comparison);
            steered.compareOne(call);
            return;
        }
        if (comparison.expects("input_noise")) {
            comparison.input("input_noise"); // the start before it is scaled
        }
        steered.compareAll(call);
    }

    /** What guidance compares with is a prompt too. */
    @Test
    void theEmptyPromptEqualsDiffusers() throws IOException {
        Path model = Path.of("cases", "pixart_alpha");
        JsonNode call = JSON.readTree(model.resolve("case.json").toFile());
        try (var scope = TensorScope.open();
                var comparison = new Comparison(Path.of("oracle", "empty_prompt.safetensors"))) {
            Tensor start = comparison.input("latents_init");
            try (var pipeline = Pipeline.load(model.resolve("model"), PipelineOptions.defaults())) {
                pipeline.sample(
                        request(((ObjectNode) call).put("prompt", "")),
                        new Comparing(comparison),
                        start);
            }
            System.out.println(comparison.report("the empty prompt"));
        }
    }

    private static SampleRequest request(JsonNode call) {
        return builder(call).build();
    }

    private static SampleRequest.Builder builder(JsonNode call) {
        double scale = call.path("guidance_scale").asDouble();
        double rescale = call.path("guidance_rescale").asDouble();
        var request =
                SampleRequest.builder()
                        .seed(NOISE_SEED)
                        .steps(call.get("steps").isNull() ? null : call.get("steps").asInt())
                        .guidanceScale(scale)
                        .oneGenerator(call.has("generator_seed"))
                        .batch(call.path("batch_size").asInt(1))
                        .eta(call.path("eta").asDouble())
                        .clippedNoise(call.path("use_clipped_model_output").asBoolean())
                        .width(call.get("width").asInt())
                        .height(call.get("height").asInt())
                        .binning(call.path("use_resolution_binning").asBoolean());
        List<Double> timesteps = new ArrayList<>();
        call.path("timesteps").forEach(timestep -> timesteps.add(timestep.asDouble()));
        request.levels(timesteps.isEmpty() ? null : LevelChoice.ofTimesteps(timesteps));
        if (call.has("class_labels")) {
            List<String> labels = new ArrayList<>();
            call.get("class_labels").forEach(label -> labels.add(label.asText()));
            return request.classes(labels);
        }
        if (!call.has("prompt")) {
            return request.sampler(call.has("scheduler") ? "ddim" : null);
        }
        if (rescale > 0) {
            request.guidance(new ClassifierFree(scale, rescale, 0, Double.POSITIVE_INFINITY));
        }
        if (call.has("max_sequence_length")) {
            request.maxTokens(call.get("max_sequence_length").asInt());
        }
        return request.prompt(call.get("prompt").asText())
                .negativePrompt(call.path("negative_prompt").textValue())
                .secondPrompt(call.path("prompt_2").textValue())
                .clipSkip(call.path("clip_skip").asInt())
                .sizes(sizes(call, ""))
                .negativeSizes(sizes(call, "negative_"))
                .end(call.has("denoising_end") ? call.get("denoising_end").asDouble() : null);
    }

    private static SizeCondition sizes(JsonNode call, String prefix) {
        JsonNode original = call.path(prefix + "original_size");
        JsonNode crop = call.path(prefix + "crops_coords_top_left");
        return original.isMissingNode()
                ? null
                : new SizeCondition(
                        size(original),
                        crop.get(0).asInt(),
                        crop.get(1).asInt(),
                        size(call.get(prefix + "target_size")));
    }

    private static Size size(JsonNode size) {
        return new Size(size.get(0).asInt(), size.get(1).asInt());
    }

    private static void dit(Path folder, JsonNode call, Comparison comparison) throws IOException {
        pipeline(folder, call, comparison);
        Path part = folder.resolve("model/transformer");
        var config = DitConfig.read(part.resolve("config.json"));
        try (var network = load(part, w -> new DitTransformer(w, config))) {
            comparison.compare(
                    "one_output",
                    network.forward(
                            comparison.input("one_input"),
                            comparison.input("one_timesteps"),
                            comparison.input("one_labels")));
        }
    }

    /** A network with PEFT's adapter and without; the case has one of another family too. */
    private static void adapter(Path folder, JsonNode call, Comparison comparison)
            throws IOException {
        comparison.leaveOut("flux.");
        Path part = folder.resolve("pixart_transformer");
        var config = PixArtConfig.read(part.resolve("config.json"));
        try (var network = load(part, w -> new PixArtTransformer(w, config));
                var lora = Lora.load(network, folder.resolve("pixart_peft"))) {
            comparison.compare("pixart.output_lora", output(network, comparison));
            lora.enable(false);
            comparison.compare("pixart.output_base", output(network, comparison));
        }
    }

    private static Tensor output(PixArtTransformer network, Comparison comparison)
            throws IOException {
        Tensor embeds = comparison.input("pixart.text");
        PixArtText text = network.prepare(embeds, comparison.input("pixart.mask"));
        return network.forward(
                comparison.input("pixart.latents"),
                comparison.input("pixart.timesteps"),
                text,
                null);
    }

    private static <M extends Module> M load(Path part, Function<Weights, M> network)
            throws IOException {
        Path file = WeightFiles.find(part, WeightFiles.DIFFUSERS, null).path();
        try (var weights = Safetensors.open(file, LoadMode.MAPPED)) {
            return Weights.load(weights.weights(), DType.FLOAT32, Device.CPU, network);
        }
    }

    /** Compares what a pipeline tells on the way. */
    private record Comparing(Comparison comparison, UnaryOperator<String> naming)
            implements SampleMonitor {
        Comparing(Comparison comparison) {
            this(comparison, UnaryOperator.identity());
        }

        @Override
        public boolean traces() {
            return true;
        }

        @Override
        public void traced(String name, Tensor value) {
            if (comparison.expects(naming.apply(name))) {
                comparison.compare(naming.apply(name), value);
            }
        }
    }

    private static void tokenizers(Path packed, Path folder) throws IOException {
        PackedFiles.unpack(packed, folder);
        Tokenizer clip = Tokenizers.load(folder.resolve("clip"), null);
        Tokenizer t5 = Tokenizers.load(folder.resolve("t5"), null);
        JsonNode rows = JSON.readTree(folder.resolve("expected.json").toFile());
        assertFalse(rows.isEmpty());
        for (JsonNode row : rows) {
            String text = row.get("text").asText();
            int[] padded = JSON.convertValue(row.get("clip"), int[].class);
            assertArrayEquals(padded, clip.encode(text, padded.length).ids(), text);
            int[] cut = JSON.convertValue(row.get("t5"), int[].class); // to 60, not padded
            assertArrayEquals(cut, Arrays.copyOf(t5.encode(text, 60).ids(), cut.length), text);
        }
        System.out.printf("%-16s %3d texts, ids equal%n", "tokenizers", rows.size());
    }
}
