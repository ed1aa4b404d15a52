package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.cli.Main;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.models.pipeline.SampleResult;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A checkpoint of a DiT of two times, the student of a flow map. */
class FlowMapCheckpointTest {
    private static final String WEIGHTS = "transformer/diffusion_pytorch_model.safetensors";
    private static final String CONFIG = "transformer/config.json";
    private static final String GATE = "{\"gate_value\": 0.25,";

    @TempDir private Path folder;

    @BeforeEach
    void copy() throws IOException {
        Cases.copyModel("dit", folder);
        Files.writeString(
                folder.resolve("scheduler/scheduler_config.json"),
                "{\"_class_name\": \"FlowMapEulerDiscreteScheduler\", \"shift\": 5.0}");
        replace("model_index.json", "DDIMScheduler", "FlowMapEulerDiscreteScheduler");
        replace(CONFIG, "{", GATE);
        try (var scope = TensorScope.open();
                var generator = new Generator(3);
                var file =
                        Safetensors.open(
                                Cases.named("dit").resolve("model").resolve(WEIGHTS),
                                LoadMode.READ)) {
            Map<String, Tensor> tensors = new LinkedHashMap<>();
            for (String name : file.names()) {
                Tensor tensor = file.tensor(name);
                tensors.put(name, tensor);
                if (name.contains(".timestep_embedder.")) {
                    tensors.put(
                            name.replace("timestep_embedder", "delta_embedder"),
                            Tensor.randn(generator, tensor.shape().toArray()));
                }
            }
            SafetensorsWriter.write(folder.resolve(WEIGHTS), tensors, Map.of());
        }
    }

    private void replace(String file, String old, String by) throws IOException {
        Path path = folder.resolve(file);
        String text = Files.readString(path);
        assertTrue(text.contains(old), text);
        Files.writeString(path, text.replace(old, by));
    }

    private SampleResult sample(SampleRequest.Builder request) {
        long before = Memory.liveTensors();
        SampleResult result;
        try (var pipeline = Pipeline.load(folder, PipelineOptions.defaults())) {
            result = pipeline.sample(request.build());
        }
        assertEquals(before, Memory.liveTensors());
        return result;
    }

    private static SampleRequest.Builder request() {
        return SampleRequest.builder().classes(List.of("7")).seed(2);
    }

    private byte[] picture(SampleRequest.Builder request) {
        return sample(request).pictures().getFirst().rgb();
    }

    /** {@code darkroom sample}. */
    private void assertCommand(int exit, String said, Object... more) {
        List<String> line =
                new ArrayList<>(List.of("sample", "--class", "7", "--model", folder.toString()));
        line.addAll(List.of("--out", folder.resolve("out.png").toString()));
        Arrays.stream(more).map(Object::toString).forEach(line::add);
        assertRun(exit, said, line);
    }

    private static void assertRun(int exit, String said, List<String> line) {
        var out = new StringWriter();
        var err = new StringWriter();
        int actual =
                Main.run(
                        new PrintWriter(out),
                        new PrintWriter(err, true),
                        line.toArray(new String[0]));
        assertEquals(exit, actual, err.toString());
        assertTrue((out + err.toString()).contains(said), out + err.toString());
    }

    @Test
    void isSampledFromTheCommandLine() {
        for (int steps : new int[] {1, 4}) {
            assertCommand(0, "out.png", "--steps", steps);
        }
        assertTrue(Files.exists(folder.resolve("out.png")));
        assertRun(0, "4 steps", List.of("plan", folder.toString()));
    }

    @Test
    void takesFewStepsAndNoGuidanceByItself() {
        SampleResult result = sample(request());
        assertEquals(4, result.used().get("steps"));
        assertEquals(1.0, result.used().get("guidanceScale"));
        assertFalse(
                Arrays.equals(
                        result.pictures().getFirst().rgb(), picture(request().guidanceScale(5.0))));
    }

    /** Which Euler's method does not tell; where it does not matter, both are the same. */
    @Test
    void theNetworkSeesWhereAStepEnds() throws IOException {
        for (int steps : new int[] {1, 3}) {
            byte[] map = picture(request().steps(steps));
            assertArrayEquals(map, picture(request().steps(steps).sampler("flow-map")));
            assertFalse(Arrays.equals(map, picture(request().steps(steps).sampler("euler"))));
        }
        replace(CONFIG, GATE, "{\"gate_value\": 0,");
        for (int steps : new int[] {1, 3}) {
            assertArrayEquals(
                    picture(request().steps(steps)),
                    picture(request().steps(steps).sampler("euler")));
        }
    }

    @Test
    void whatDoesNotFitIsRefused() throws IOException {
        replace(CONFIG, GATE, "{\"gate_value\": 2,");
        assertCommand(1, "gate_value is a share from 0 to 1, not 2.0");
        replace(CONFIG, "{\"gate_value\": 2,", "{\"deltatime_type\": \"r\",");
        assertCommand(1, "give its gate_value too");
        replace(CONFIG, "{\"deltatime_type\": \"r\",", "{");
        assertCommand(1, "not the time where a step ends");
        Path weights = Cases.named("dit").resolve("model").resolve(WEIGHTS);
        Files.delete(folder.resolve(WEIGHTS));
        Files.copy(weights, folder.resolve(WEIGHTS));
        assertCommand(1, "not the time where a step ends");
        assertCommand(0, "out.png", "--sampler", "euler", "--steps", 2);
        replace(CONFIG, "{", GATE);
        assertCommand(1, "norm1.emb.delta_embedder.linear_1.weight");
    }
}
