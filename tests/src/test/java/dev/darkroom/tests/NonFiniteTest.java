package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Numbers that overflow are an error that names the stage, never a picture. */
class NonFiniteTest {
    private static final SampleRequest REQUEST =
            SampleRequest.builder()
                    .prompt("a dog")
                    .steps(2)
                    .width(16)
                    .height(16)
                    .binning(false)
                    .build();

    @TempDir private Path folder;

    @BeforeEach
    void copy() throws IOException {
        Cases.copyModel("pixart_alpha", folder);
    }

    private void change(String file, String key, UnaryOperator<Tensor> change) throws IOException {
        Path path = folder.resolve(file);
        try (var scope = TensorScope.open()) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            try (var read = Safetensors.open(path, LoadMode.READ)) {
                for (String name : read.names()) {
                    Tensor value = read.tensor(name);
                    tensors.put(name, name.equals(key) ? change.apply(value) : value);
                }
            }
            SafetensorsWriter.write(path, tensors, Map.of("format", "pt"));
        }
    }

    private void assertFails(SampleMonitor monitor, @Nullable Tensor latents, String... expected) {
        try (var pipeline = Pipeline.load(folder, PipelineOptions.defaults())) {
            long before = Memory.liveTensors();
            var error =
                    assertThrows(
                            PipelineException.class,
                            () -> pipeline.sample(REQUEST, monitor, latents));
            for (String part : expected) {
                assertTrue(error.getMessage().contains(part), error.getMessage());
            }
            assertEquals(before, Memory.liveTensors());
        }
    }

    @Test
    void givenLatents() {
        SampleMonitor unused =
                new SampleMonitor() {
                    @Override
                    public void evaluated(int done, int total, Tensor latents, Tensor denoised) {
                        throw new AssertionError("refused before sampling");
                    }
                };
        long channels = 4;
        try (var latents = Tensor.full(Shape.of(1, channels, 8, 8), 1, DType.FLOAT32, Device.CPU);
                var broken = latents.times(Double.POSITIVE_INFINITY);
                var huge = latents.to(DType.FLOAT64).times(1e300);
                var whole = latents.to(DType.INT64);
                var small = latents.narrow(2, 0, 4).copy()) {
            assertFails(unused, broken, "256 of 256 numbers in the given latents are infinite");
            assertFails(unused, huge, "numbers in the given latents are infinite");
            assertFails(unused, whole, "the given latents are int64", "float32");
            assertFails(unused, small, "have shape [1, 4, 4, 8]", "needs [1, 4, 8, 8]");
        }
    }

    @Test
    void textStates() throws IOException {
        change("text_encoder/model.safetensors", "shared.weight", w -> w.times(Double.NaN));
        assertFails(SampleMonitor.NONE, null, "numbers in the text encoder's states are");
    }

    @Test
    void sampledLatents() throws IOException {
        change(
                "transformer/diffusion_pytorch_model.safetensors",
                "proj_out.weight",
                w -> w.times(Double.NaN));
        assertFails(
                SampleMonitor.NONE,
                null,
                "256 of 256 numbers in the sampled latents are",
                "use less guidance than 4.5",
                "use another sampler");
    }

    @Test
    void pictures() throws IOException {
        change(
                "vae/diffusion_pytorch_model.safetensors",
                "decoder.conv_out.bias",
                w -> w.times(Double.NaN));
        assertFails(SampleMonitor.NONE, null, "numbers in the decoded picture are");
    }

    @Test
    void previews() throws IOException {
        change(
                "vae/diffusion_pytorch_model.safetensors",
                "decoder.conv_out.bias",
                w -> w.times(Double.NaN));
        try (var pipeline = Pipeline.load(folder, PipelineOptions.defaults());
                var latents = Tensor.zeros(DType.FLOAT32, 1, 4, 8, 8)) {
            assertThrows(PipelineException.class, () -> pipeline.preview(latents));
        }
    }

    @Test
    void guidanceThatOverflowsIsRefused() {
        for (double scale : new double[] {1e30, 1e308, Double.POSITIVE_INFINITY, Double.NaN}) {
            var builder = SampleRequest.builder().prompt("a dog").guidanceScale(scale);
            var error = assertThrows(IllegalArgumentException.class, builder::build);
            assertTrue(
                    error.getMessage().startsWith("the guidance scale must be 0 to 1000, not"),
                    error.getMessage());
        }
    }
}
