package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import dev.darkroom.models.checkpoint.Offload;
import dev.darkroom.models.diffusion.guidance.NamedGuidance;
import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.family.Edit;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.pipeline.Picture;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.plan.Plan;
import dev.darkroom.models.plan.Stage;
import dev.darkroom.models.unet.ControlNet;
import dev.darkroom.models.unet.ControlNetConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** ControlNets beside a checkpoint: what they change, and what they do not go with. */
class ControlNetTest {
    private static final Path SD15 = Path.of("cases", "sd15", "model");
    private static final Path STEERED = Path.of("cases", "sd15_controlled", "model");
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final Path NET = STEERED.resolve("controlnet");

    @TempDir private Path folder;

    /** A picture of stripes. */
    private static ControlPicture stripes(int height, int width) {
        var values = new float[3 * height * width];
        for (int i = 0; i < values.length; i++) {
            values[i] = i % 3 == 0 ? 1 : 0.1f;
        }
        return ControlPicture.of(new Image(3, height, width, values));
    }

    private static SampleRequest.Builder tree(ControlPicture... controls) {
        return SampleRequest.builder()
                .prompt("a tree")
                .steps(2)
                .seed(1)
                .guidanceScale(3)
                .controls(List.of(controls));
    }

    private static PipelineOptions with(Path... nets) {
        PipelineOptions options = PipelineOptions.defaults();
        for (Path net : nets) {
            options = options.withControl(net.toString());
        }
        return options;
    }

    private static Picture picture(PipelineOptions options, SampleRequest.Builder request) {
        return pictures(options, request).getFirst();
    }

    private static List<Picture> pictures(PipelineOptions options, SampleRequest.Builder request) {
        try (var pipeline = Pipeline.load(SD15, options)) {
            assertEquals(List.of(), pipeline.warnings());
            return pipeline.sample(request.build()).pictures();
        }
    }

    @Test
    void aNetSteersByItsScale() {
        long before = Memory.liveTensors();
        var edges = stripes(16, 16);
        byte[] free = picture(with(), tree().width(16).height(16)).rgb();
        byte[] steered = picture(with(NET), tree(edges)).rgb();
        assertFalse(Arrays.equals(free, steered));
        assertArrayEquals(free, picture(with(NET), tree(edges.withScale(0))).rgb());
        assertFalse(Arrays.equals(steered, picture(with(NET), tree(edges.withGuess(true))).rgb()));
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void thePictureSaysTheSizeUnlessItIsAskedFor() {
        Picture own = picture(with(NET), tree(stripes(17, 24)));
        assertEquals(List.of(24, 16), List.of(own.width(), own.height()));
        Picture asked = picture(with(NET), tree(stripes(17, 24)).width(8).height(32));
        assertEquals(List.of(8, 32), List.of(asked.width(), asked.height()));
    }

    @Test
    void aBatchIsSteeredByOnePicture() {
        var edges = stripes(16, 16);
        List<Picture> two = pictures(with(NET), tree(edges).batch(2));
        Picture second = picture(with(NET), tree(edges).seed(2));
        for (int i = 0; i < second.rgb().length; i++) {
            int difference = (two.get(1).rgb()[i] & 0xff) - (second.rgb()[i] & 0xff);
            assertTrue(Math.abs(difference) <= 1, "byte " + i + " differs by " + difference);
        }
    }

    @Test
    void netsTakeTurnsWithTheOtherPartsInMemory() {
        var edges = stripes(16, 16);
        byte[] together = picture(with(NET), tree(edges)).rgb();
        byte[] turns = picture(with(NET).withOffload(Offload.ON), tree(edges)).rgb();
        assertArrayEquals(together, turns);
    }

    @Test
    void guidanceAwayFromAPerturbedNetworkIsSteeredToo() {
        var edges = stripes(16, 16);
        var perturbed = NamedGuidance.parse("pag");
        byte[] free = picture(with(), tree().width(16).height(16).guidance(perturbed)).rgb();
        byte[] steered = picture(with(NET), tree(edges).guidance(perturbed)).rgb();
        assertFalse(Arrays.equals(free, steered));
    }

    /** Solvers of one evaluation in a step, of two, and of as many as it takes. */
    @ParameterizedTest
    @ValueSource(strings = {"euler", "heun", "rk45:rtol=0.1"})
    void everySamplerIsSteeredInItsShareOfTheSteps(String sampler) {
        var edges = stripes(16, 16);
        byte[] free = picture(with(), tree().sampler(sampler).width(16).height(16)).rgb();
        byte[] off = picture(with(NET), tree(edges.between(0.9, 0.95)).sampler(sampler)).rgb();
        assertArrayEquals(free, off);
        byte[] whole = picture(with(NET), tree(edges).sampler(sampler)).rgb();
        assertFalse(Arrays.equals(free, whole));
        byte[] end = picture(with(NET), tree(edges.between(0.3, 1)).sampler(sampler)).rgb();
        assertFalse(Arrays.equals(free, end));
        assertFalse(Arrays.equals(whole, end));
    }

    /** The weaker model sees no control: what is led away from is its free estimate. */
    @Test
    void autoguidanceIsSteered() {
        var options = PipelineOptions.defaults().withAutoGuidance(SD15.toString());
        byte[] free = picture(options, tree().width(16).height(16)).rgb();
        byte[] steered = picture(options.withControl(NET.toString()), tree(stripes(16, 16))).rgb();
        assertFalse(Arrays.equals(free, steered));
    }

    @Test
    void invertedLatentsGoBackUnderTheSameControl() {
        try (var pipeline = Pipeline.load(SD15, with(NET))) {
            var edges = stripes(16, 16);
            var request = tree(edges).guidanceScale(1).edit(new Edit(edges.picture(), null, 1));
            try (var result = pipeline.invert(request.build())) {
                assertEquals(4, result.latents().size(1));
            }
        }
    }

    @Test
    void aPipelineNamesItsNets() {
        Path second = STEERED.resolve("controlnet_1");
        try (var pipeline = Pipeline.load(SD15, with(NET, second))) {
            assertEquals(
                    List.of("controlnet", "controlnet_1"), pipeline.describe().get("controls"));
            Set<String> files = pipeline.hashWeights().keySet();
            assertEquals(5, files.size(), files.toString());
            assertTrue(
                    files.contains("controlnet_1/diffusion_pytorch_model.safetensors"),
                    files.toString());
        }
    }

    @Test
    void aPlanCountsTheNets() throws IOException {
        var request = SampleRequest.builder().width(16).height(16).steps(1).build();
        Plan steered = Plan.of(SD15, with(NET), request);
        assertTrue(
                steered.run().stages().stream()
                        .anyMatch(stage -> "controlnet".equals(stage.part())));
        Plan own = Plan.of(STEERED, with(), request);
        assertTrue(
                own.run().stages().stream()
                        .filter(stage -> stage.kind() == Stage.Kind.LOAD)
                        .anyMatch(stage -> "controlnet_1".equals(stage.part())));
    }

    // ---- What does not go together ----

    private static String refused(PipelineOptions options, SampleRequest.Builder request) {
        long before = Memory.liveTensors();
        String message;
        try (var pipeline = Pipeline.load(SD15, options)) {
            SampleRequest made = request.build();
            message =
                    assertThrows(PipelineException.class, () -> pipeline.sample(made)).getMessage();
        }
        assertEquals(before, Memory.liveTensors());
        return message;
    }

    @Test
    void everyNetNeedsAPicture() {
        assertEquals(
                "each ControlNet sees a picture of its own: there is 1 ControlNet, but 0 pictures"
                        + " (--control-image)",
                refused(with(NET), tree()));
        assertEquals(
                "each ControlNet sees a picture of its own: there are 2 ControlNets, but 1 picture"
                        + " (--control-image)",
                refused(with(NET, NET), tree(stripes(16, 16))));
        assertEquals(
                "there is a control picture, and no ControlNet that sees it; name one (--control)",
                refused(with(), tree(stripes(16, 16))));
    }

    private static String unloadable(Path model, Path net) {
        long before = Memory.liveTensors();
        String message =
                assertThrows(PipelineException.class, () -> Pipeline.load(model, with(net)))
                        .getMessage();
        assertEquals(before, Memory.liveTensors());
        return message;
    }

    /** diffusers' pipelines with ControlNets have other defaults than those without. */
    @ParameterizedTest
    @CsvSource({"false, 0.8", "true, 0.9999"})
    void xlThatIsSteeredHasDefaultsOfItsOwn(boolean masked, double strength) throws IOException {
        Path xl = Path.of("cases", "sdxl", "model");
        Image flat = new Image(3, 16, 16, new float[3 * 16 * 16]);
        Image mask = masked ? new Image(1, 16, 16, new float[16 * 16]) : null;
        try (var pipeline = Pipeline.load(xl, with(netFor(xl)))) {
            var request =
                    SampleRequest.builder()
                            .prompt("a tree")
                            .steps(2)
                            .controls(List.of(ControlPicture.of(flat)))
                            .edit(new Edit(flat, mask));
            var used = pipeline.sample(request.build()).used();
            assertEquals(strength, used.get("strength"));
            assertEquals(5.0, used.get("guidanceScale"));
        }
    }

    /** Makes a net of zeros for a model's U-Net. */
    private Path netFor(Path model) throws IOException {
        Path net = Files.createDirectories(folder.resolve("made"));
        var json = (ObjectNode) JSON.readTree(model.resolve("unet/config.json").toFile());
        json.put("_class_name", "ControlNetModel");
        json.putPOJO("conditioning_embedding_out_channels", List.of(4, 6));
        Path file = net.resolve("config.json");
        JSON.writeValue(file.toFile(), json);
        ControlNetConfig config = ControlNetConfig.read(file, Warnings.collected());
        try (var scope = TensorScope.open()) {
            var tensors = new TreeMap<String, Tensor>();
            Weights.declared(w -> new ControlNet(w, config))
                    .forEach(
                            (key, shape) ->
                                    tensors.put(
                                            key, Tensor.zeros(shape, DType.FLOAT32, Device.CPU)));
            SafetensorsWriter.write(
                    net.resolve("diffusion_pytorch_model.safetensors"), tensors, Map.of());
        }
        return net;
    }

    @Test
    void aNetOfAnotherModelIsRefused() throws IOException {
        String xl = unloadable(Path.of("cases", "sdxl", "model"), NET);
        assertTrue(xl.contains("this ControlNet is for another model"), xl);
        assertTrue(xl.contains("addition_embed_type null, and the U-Net text_time"), xl);
        String pixart = unloadable(Path.of("cases", "pixart_alpha", "model"), NET);
        assertTrue(pixart.contains("ControlNets steer the U-Nets of Stable Diffusion"), pixart);
        var request = SampleRequest.builder().steps(1).build();
        assertThrows(
                IOException.class,
                () -> Plan.of(Path.of("cases", "pixart_alpha", "model"), with(NET), request));
    }

    /** Changes a copy of the net's config. */
    private Path changed(String from, String to) throws IOException {
        Path copy = Files.createDirectories(folder.resolve("net"));
        for (String name : List.of("config.json", "diffusion_pytorch_model.safetensors")) {
            Files.copy(NET.resolve(name), copy.resolve(name));
        }
        Path config = copy.resolve("config.json");
        String text = Files.readString(config);
        assertTrue(text.contains(from), text);
        Files.writeString(config, text.replace(from, to));
        return copy;
    }

    @Test
    void aNetOfAnotherWidthIsRefusedWithTheNumbers() throws IOException {
        String message = unloadable(SD15, changed("    4,\n    8\n", "    8,\n    8\n"));
        assertTrue(
                message.contains("it has block_out_channels [8, 8], and the U-Net [4, 8]"),
                message);
    }

    @Test
    void aNetForLatentsOfAnotherSizeIsRefused() throws IOException {
        String message = unloadable(SD15, changed("    4,\n    6\n", "    4,\n    6,\n    8\n"));
        assertTrue(
                message.contains("pixels for one of the latents 4, and the autoencoder 2"),
                message);
    }

    @Test
    void weightsThatDoNotFitTheConfigAreNamed() throws IOException {
        String message = unloadable(SD15, changed("    4,\n    6\n", "    4,\n    7\n"));
        assertTrue(message.contains("controlnet_cond_embedding.conv_out.weight"), message);
    }

    @Test
    void aFolderWithoutANetIsRefused() throws IOException {
        String unet = unloadable(SD15, SD15.resolve("unet"));
        assertTrue(
                unet.contains(
                        "describes a UNet2DConditionModel; a ControlNet is a ControlNetModel"),
                unet);
        String empty = unloadable(SD15, Files.createDirectory(folder.resolve("empty")));
        assertTrue(empty.contains("the ControlNet " + folder.resolve("empty")), empty);
        assertTrue(empty.contains("has no config.json"), empty);
    }
}
