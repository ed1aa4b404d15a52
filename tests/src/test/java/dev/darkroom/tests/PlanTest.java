package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.checkpoint.Tiling;
import dev.darkroom.models.checkpoint.WeightFormat;
import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.convert.Conversion;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.family.pixart.PixArtTransformer;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.plan.Choice;
import dev.darkroom.models.plan.Part;
import dev.darkroom.models.plan.Plan;
import dev.darkroom.models.plan.Run;
import dev.darkroom.models.plan.Stage;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.testing.Child;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Plans, against what the same checkpoints then take. */
class PlanTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final PipelineOptions OPTIONS = PipelineOptions.defaults();

    @TempDir private Path folder;

    @AfterEach
    void limitIsGone() {
        System.clearProperty(MemoryBudget.PROPERTY);
    }

    private static SampleRequest square(int size, int steps) {
        return SampleRequest.builder().width(size).height(size).binning(false).steps(steps).build();
    }

    private static Run run(Plan plan) {
        return Objects.requireNonNull(plan.run());
    }

    /** What the stages take beside the process. */
    private static Map<Stage.Kind, Long> stages(Plan plan) {
        var bytes = new EnumMap<Stage.Kind, Long>(Stage.Kind.class);
        run(plan).stages().forEach(s -> bytes.put(s.kind(), s.peakBytes() - plan.processBytes()));
        return bytes;
    }

    // ---- Memory ----

    @Test
    void everyStageTakesWhatWasPlanned() throws IOException {
        Path model = Cases.named("pixart_alpha").resolve("model");
        for (var variant :
                List.of(
                        OPTIONS.withOffload(Offload.OFF).withWeights(WeightFormat.COMPUTED),
                        OPTIONS.withOffload(Offload.OFF).withWeights(WeightFormat.INT8))) {
            var plan = Plan.of(model, variant, square(192, 2));
            long weights = plan.parts().stream().mapToLong(Part::bytes).sum();
            var planned = stages(plan);
            var measured = new EnumMap<Stage.Kind, Long>(Stage.Kind.class);
            Memory.resetPeak(Device.CPU);
            long before = Memory.liveBytes();
            try (var pipeline = Pipeline.load(model, variant)) {
                // Weights that are mapped are not libtorch's; copies are.
                long mapped = weights - (Memory.liveBytes() - before);
                boolean int8 = variant.weights() == WeightFormat.INT8;
                long others = int8 ? planned.get(Stage.Kind.LOAD) - weights : 0;
                Memory.resetPeak(Device.CPU);
                pipeline.sample(
                        named(square(192, 2)),
                        new SampleMonitor() {
                            @Override
                            public boolean isCancelled() {
                                measured.computeIfAbsent(Stage.Kind.ENCODE, PlanTest::peak);
                                return false;
                            }

                            @Override
                            public void evaluated(int done, int total, Tensor x, Tensor y) {
                                if (done == total) {
                                    measured.put(Stage.Kind.DENOISE, peak(Stage.Kind.DENOISE));
                                }
                            }
                        });
                measured.put(Stage.Kind.DECODE, peak(Stage.Kind.DECODE));
                for (var stage : List.of(Stage.Kind.DENOISE, Stage.Kind.DECODE)) {
                    double total = measured.get(stage) - before + (int8 ? others : mapped);
                    assertEquals(total, planned.get(stage), 0.05 * total, stage + " " + variant);
                }
            }
        }
    }

    private static SampleRequest named(SampleRequest request) {
        return SampleRequest.builder()
                .prompt("a photograph")
                .width(request.size().width())
                .height(request.size().height())
                .binning(request.size().binning())
                .steps(request.sampling().steps())
                .build();
    }

    private static long peak(Stage.Kind ignored) {
        long peak = Memory.stats(Device.CPU).peak();
        Memory.resetPeak(Device.CPU);
        return peak;
    }

    /** A checkpoint takes the same in both layouts. */
    @ParameterizedTest
    @ValueSource(strings = {"sd15", "sdxl"})
    void aSingleFileIsPlannedAsItsFolder(String name) throws IOException {
        Path model = Path.of("cases", name, "model");
        Path file = folder.resolve("file.safetensors");
        Conversion.of(model, file, Conversion.Options.KEEP);
        var ofFile = Plan.of(file, OPTIONS, square(64, 2));
        var ofFolder = Plan.of(model, OPTIONS, square(64, 2));
        assertEquals("file.safetensors", ofFile.model());
        assertEquals(ofFolder.pipeline(), ofFile.pipeline());
        assertEquals(ofFolder.family(), ofFile.family());
        assertEquals(Set.copyOf(ofFolder.parts()), Set.copyOf(ofFile.parts()));
        assertEquals(stages(ofFolder), stages(ofFile));
        assertEquals(run(ofFolder).evaluations(), run(ofFile).evaluations());
    }

    /** Samples in a process of its own, and prints the most memory that it had. */
    static final class Sample {
        private Sample() {}

        public static void main(String[] arguments) throws IOException {
            Memory.returnLargeBlocks(); // as a pipeline does where memory is short
            try (var pipeline =
                    Pipeline.load(
                            Path.of(arguments[0]),
                            OPTIONS.withDtype(DType.valueOf(arguments[2]))
                                    .withOffload(Offload.OFF)
                                    .withWeights(WeightFormat.COMPUTED)
                                    .withTiling(Tiling.OFF))) {
                pipeline.sample(named(square(Integer.parseInt(arguments[1]), 1)));
            }
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith("VmHWM:")) {
                    System.out.println("peak " + line.replaceAll("\\D", ""));
                }
            }
        }
    }

    /** Plans in a process of its own too, as at the command line. */
    static final class Planned {
        private Planned() {}

        public static void main(String[] arguments) throws IOException {
            var plan =
                    Plan.of(
                            Path.of(arguments[0]),
                            OPTIONS.withDtype(DType.valueOf(arguments[2])).withTiling(Tiling.OFF),
                            square(Integer.parseInt(arguments[1]), 1));
            System.out.println("peak " + (run(plan).peakBytes() >> 10));
        }
    }

    private double peak(Class<?> main, Object... arguments) throws Exception {
        var child =
                Child.start(
                        folder,
                        List.of("-Xmx1g"),
                        main,
                        Arrays.stream(arguments)
                                .map(each -> each instanceof DType type ? type.name() : each)
                                .map(String::valueOf)
                                .toArray(String[]::new));
        String said = child.requireSuccess(1200);
        int at = said.lastIndexOf("peak ");
        return 1024.0 * Long.parseLong(said.substring(at + 5).strip());
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void theProcessHasAtItsPeakWhatWasPlanned() throws Exception {
        String model = Cases.model("pixart_alpha");
        double planned = peak(Planned.class, model, 384, DType.FLOAT32);
        double measured = peak(Sample.class, model, 384, DType.FLOAT32);
        assertEquals(measured, planned, 0.15 * measured);
    }

    // ---- Large networks ----

    private JsonNode replaced(Path file, Map<String, Object> values) throws IOException {
        var json = (com.fasterxml.jackson.databind.node.ObjectNode) JSON.readTree(file.toFile());
        values.forEach((key, value) -> json.putPOJO(key, value));
        Files.writeString(file, json.toString());
        return JSON.readTree(file.toFile());
    }

    /** A network of PixArt's kind as long and wide as wanted, in the case's checkpoint. */
    private Map<String, Shape> transformer(int layers, int heads, int text) throws IOException {
        int headWidth = 128;
        replaced(
                folder.resolve("transformer/config.json"),
                Map.of(
                        "num_layers", layers,
                        "num_attention_heads", heads,
                        "attention_head_dim", headWidth,
                        "cross_attention_dim", heads * headWidth,
                        "caption_channels", text,
                        "use_additional_conditions", false));
        var config = ConfigReader.read(folder.resolve("transformer/config.json"), PixArtConfig::of);
        return Weights.declared(w -> new PixArtTransformer(w, config));
    }

    @Test
    void aNetworkOfTwelveBillionParametersIsPlannedWithoutItsWeights() throws IOException {
        Cases.copyModel("pixart_alpha", folder);
        replaced(
                folder.resolve("text_encoder/config.json"),
                Map.of(
                        "d_model",
                        4096,
                        "d_ff",
                        10240,
                        "d_kv",
                        64,
                        "num_heads",
                        64,
                        "num_layers",
                        24));
        var t5 = T5Encoder.part("text_encoder");
        var text = t5.of(textConfig());
        var encoder = Weights.declared(text::network);
        SparseWeights.write(folder.resolve("text_encoder/model.safetensors"), encoder, "BF16", 2);
        var network = transformer(79, 24, 4096);
        SparseWeights.write(
                folder.resolve("transformer/diffusion_pytorch_model.safetensors"),
                network,
                "BF16",
                2);
        System.setProperty(MemoryBudget.PROPERTY, "20g");
        var plan =
                Plan.of(
                        folder,
                        OPTIONS.withDtype(DType.BFLOAT16).withOffload(Offload.OFF),
                        square(256, 1));
        long parameters = network.values().stream().mapToLong(Shape::elements).sum();
        assertEquals(12e9, parameters, 0.2e9);
        Part part = plan.parts().get(names(plan).indexOf("transformer"));
        assertEquals(parameters, part.parameters());
        assertEquals(2 * parameters, part.bytes());
        assertFalse(plan.fits());
        assertTrue(run(plan).neededBytes() > part.bytes() + encoded(encoder) * 2);
        assertFalse(plan.choices().getFirst().fits());
        Choice fitting =
                plan.choices().stream()
                        .filter(Choice::fits)
                        .findFirst()
                        .orElseThrow(() -> new AssertionError(plan.choices()));
        assertEquals(Offload.ON, fitting.variant().offload());
        assertEquals(WeightFormat.INT8, fitting.variant().weights());
        assertTrue(fitting.neededBytes() > parameters, () -> "8 bits each: " + fitting);
        assertTrue(run(plan).secondsPerStep() > 1);
    }

    private com.fasterxml.jackson.databind.node.ObjectNode textConfig() throws IOException {
        return (com.fasterxml.jackson.databind.node.ObjectNode)
                JSON.readTree(folder.resolve("text_encoder/config.json").toFile());
    }

    private static long encoded(Map<String, Shape> shapes) {
        return shapes.values().stream().mapToLong(Shape::elements).sum();
    }

    private static List<String> names(Plan plan) {
        return plan.parts().stream().map(Part::name).toList();
    }

    @Test
    @Tag("heavy")
    @EnabledOnOs(OS.LINUX)
    void aNetworkOfABillionParametersTakesWhatWasPlanned() throws Exception {
        Cases.copyModel("pixart_alpha", folder);
        transformer(28, 12, 32);
        var config = ConfigReader.read(folder.resolve("transformer/config.json"), PixArtConfig::of);
        for (DType dtype : List.of(DType.FLOAT32, DType.BFLOAT16)) {
            try (var network =
                    Weights.random(0, dtype, Device.CPU, w -> new PixArtTransformer(w, config))) {
                long parameters = encoded(Weights.declared(w -> new PixArtTransformer(w, config)));
                assertEquals(1e9, parameters, 0.1e9);
                network.save(folder.resolve("transformer/diffusion_pytorch_model.safetensors"));
            }
            double planned = peak(Planned.class, folder, 192, dtype);
            double measured = peak(Sample.class, folder, 192, dtype);
            System.out.printf(
                    "%s: planned %.0f MB, measured %.0f MB%n",
                    dtype, planned / 1e6, measured / 1e6);
            assertEquals(measured, planned, 0.15 * measured);
        }
    }

    // ---- Parts ----

    @Test
    void aCheckpointOfNoFamilyHasParts() throws IOException {
        Cases.copyModel("dit", folder);
        replaced(folder.resolve("model_index.json"), Map.of("_class_name", "OtherPipeline"));
        var plan = Plan.of(folder, OPTIONS, square(64, 1));
        assertNull(plan.family());
        assertNull(plan.run());
        assertFalse(plan.fits());
        assertEquals(List.of("transformer", "vae"), names(plan).stream().sorted().toList());
        assertTrue(plan.parts().stream().allMatch(part -> part.bytes() == 4 * part.parameters()));
    }

    /** With {@code -Ddarkroom.published}: the reference's own lists of tensors. */
    @Test
    void partsHaveAsManyParametersAsPublishedOnes() throws IOException {
        String published = System.getProperty("darkroom.published");
        Assumptions.assumeTrue(published != null, "no -Ddarkroom.published");
        int seen = 0;
        try (var models = Files.list(Path.of(published, "keys"))) {
            for (Path model : models.filter(Files::isDirectory).toList()) {
                Path made = folder.resolve(model.getFileName().toString());
                var index = new LinkedHashMap<String, Object>();
                index.put("_class_name", "OtherPipeline");
                var expected = new LinkedHashMap<String, Long>();
                for (Path list : listed(model)) {
                    String part = list.getFileName().toString().replace(".json", "");
                    Map<String, Shape> shapes = new LinkedHashMap<>();
                    JSON.readTree(list.toFile())
                            .properties()
                            .forEach(each -> shapes.put(each.getKey(), shape(each.getValue())));
                    SparseWeights.write(
                            made.resolve(part + "/diffusion_pytorch_model.safetensors"),
                            shapes,
                            "F16",
                            2);
                    Files.writeString(made.resolve(part + "/config.json"), "{}");
                    index.put(part, List.of("diffusers", "Other"));
                    expected.put(part, encoded(shapes));
                }
                Files.writeString(made.resolve("model_index.json"), JSON.writeValueAsString(index));
                var found = new LinkedHashMap<String, Long>();
                Plan.of(made, OPTIONS, square(64, 1))
                        .parts()
                        .forEach(part -> found.put(part.name(), part.parameters()));
                assertEquals(expected, found, made.toString());
                seen += found.size();
            }
        }
        assertTrue(seen > 30, "parts: " + seen);
    }

    private static List<Path> listed(Path model) throws IOException {
        try (var files = Files.list(model)) {
            return files.sorted().toList();
        }
    }

    private static Shape shape(JsonNode entry) {
        var sizes = new long[entry.get(1).size()];
        for (int i = 0; i < sizes.length; i++) {
            sizes[i] = entry.get(1).get(i).asLong();
        }
        return Shape.of(sizes);
    }

    // ---- Bad input ----

    @Test
    void badInputIsRefused() throws IOException {
        var missing =
                assertThrows(
                        IOException.class,
                        () -> Plan.of(folder.resolve("none"), OPTIONS, square(64, 1)));
        assertTrue(missing.getMessage().contains("no model folder"), missing.getMessage());
        Path model = Cases.copyModel("pixart_alpha", folder.resolve("model"));
        var size =
                assertThrows(
                        PipelineException.class, () -> Plan.of(model, OPTIONS, square(101, 1)));
        assertTrue(size.getMessage().contains("multiples"), size.getMessage());
        Files.writeString(
                model.resolve("transformer/diffusion_pytorch_model.safetensors"), "no header");
        var header = assertThrows(IOException.class, () -> Plan.of(model, OPTIONS, square(64, 1)));
        assertTrue(header.getMessage().contains("transformer"), header.getMessage());
        Files.delete(model.resolve("transformer/diffusion_pytorch_model.safetensors"));
        var weights = assertThrows(IOException.class, () -> Plan.of(model, OPTIONS, square(64, 1)));
        assertNotNull(weights.getMessage());
        assertTrue(weights.getMessage().contains("transformer"), weights.getMessage());
    }
}
