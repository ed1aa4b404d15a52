package dev.darkroom.models.family.sd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.checkpoint.KeyMap;
import dev.darkroom.models.family.ControlPicture;
import dev.darkroom.models.family.Image;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** ControlNets in single files steer as those in folders. */
class ControlNetFileTest {
    private static final Path CASES = Path.of("../tests/cases");
    private static final Path SD15 = CASES.resolve("sd15/model");
    private static final Path NET = CASES.resolve("sd15_controlled/model/controlnet");
    private static final Path WEIGHTS = NET.resolve("diffusion_pytorch_model.safetensors");

    @TempDir private Path folder;

    private static byte[] picture(Path net) {
        var values = new float[3 * 16 * 16];
        for (int i = 0; i < values.length; i++) {
            values[i] = i % 3 == 0 ? 1 : 0.1f;
        }
        var request =
                SampleRequest.builder()
                        .prompt("a tree")
                        .steps(2)
                        .controls(List.of(ControlPicture.of(new Image(3, 16, 16, values))))
                        .build();
        var options = PipelineOptions.defaults().withControl(net.toString());
        try (var pipeline = Pipeline.load(SD15, options)) {
            assertEquals(List.of(), pipeline.warnings());
            return pipeline.sample(request).pictures().getFirst().rgb();
        }
    }

    /** Writes the net as its authors would store it. */
    private Path original(String prefix, Map<String, Tensor> others) throws IOException {
        KeyMap names = OriginalKeys.controlNet(prefix, 1, List.of(true, false), 2);
        Path file = folder.resolve("control.safetensors");
        try (var scope = TensorScope.open();
                var opened = Safetensors.open(WEIGHTS, LoadMode.READ)) {
            var stored = names.inFile(opened.weights());
            Map<String, Tensor> tensors = new LinkedHashMap<>(others);
            for (String key : stored.keys()) {
                tensors.put(key, stored.read(key).contiguous());
            }
            SafetensorsWriter.write(file, tensors, Map.of());
        }
        return file;
    }

    @Test
    void aFileWithTheNamesOfHubsNeedsNoConfig() {
        assertArrayEquals(picture(NET), picture(WEIGHTS));
    }

    @ParameterizedTest
    @ValueSource(strings = {"control_model.", ""})
    void aFileWithTheNamesOfItsAuthorsSteersTheSame(String prefix) throws IOException {
        long before = Memory.liveTensors();
        assertArrayEquals(picture(NET), picture(original(prefix, Map.of())));
        assertEquals(before, Memory.liveTensors());
    }

    /** The names of Zhang's code; that they are diffusers' too, its converter says (by hand). */
    @Test
    void namesAreThoseOfTheAuthors() {
        KeyMap names =
                OriginalKeys.controlNet("control_model.", 2, List.of(true, true, true, false), 4);
        var expected =
                Map.of(
                        "conv_in.weight", "input_blocks.0.0.weight",
                        "controlnet_cond_embedding.conv_in.weight", "input_hint_block.0.weight",
                        "controlnet_cond_embedding.blocks.1.bias", "input_hint_block.4.bias",
                        "controlnet_cond_embedding.blocks.5.weight", "input_hint_block.12.weight",
                        "controlnet_cond_embedding.conv_out.weight", "input_hint_block.14.weight",
                        "controlnet_down_blocks.11.bias", "zero_convs.11.0.bias",
                        "controlnet_mid_block.weight", "middle_block_out.0.weight",
                        "down_blocks.3.resnets.1.conv1.weight",
                                "input_blocks.11.0.in_layers.2.weight",
                        "mid_block.attentions.0.proj_in.weight", "middle_block.1.proj_in.weight");
        expected.forEach(
                (hub, file) -> assertEquals("control_model." + file, names.original(hub).key()));
    }

    private static String problem(Path model, Path net) {
        var options = PipelineOptions.defaults().withControl(net.toString());
        return assertThrows(PipelineException.class, () -> Pipeline.load(model, options))
                .getMessage();
    }

    @Test
    void otherFilesAreRefused() throws IOException {
        String unet = problem(SD15, SD15.resolve("unet/diffusion_pytorch_model.safetensors"));
        assertTrue(unet.contains("holds no ControlNet"), unet);
        Path wide = folder.resolve("wide.safetensors");
        try (var scope = TensorScope.open()) {
            SafetensorsWriter.write(
                    wide,
                    Map.of(
                            "control_model.input_hint_block.0.weight",
                            Tensor.zeros(DType.FLOAT32, 4, 3, 3, 3),
                            "control_model.input_hint_block.4.weight",
                            Tensor.zeros(DType.FLOAT32, 6, 4, 3, 3),
                            "control_model.middle_block.1.transformer_blocks.0.attn2.to_k.weight",
                            Tensor.zeros(DType.FLOAT32, 8, 1024)),
                    Map.of());
        }
        String message = problem(SD15, wide);
        assertTrue(message.contains("takes a text of width 1024, and the U-Net 8"), message);
    }
}
