package dev.darkroom.models.family.dit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class DitTransformerTest {
    private static final DitConfig PLAIN = plain().build();

    private static DitConfig.Builder plain() {
        return DitConfig.builder()
                .numAttentionHeads(2)
                .attentionHeadDim(8)
                .inChannels(3)
                .outChannels(3)
                .numLayers(2)
                .attentionBias(false)
                .sampleSize(9)
                .patchSize(3)
                .numEmbedsAdaNorm(5);
    }

    private static DitTransformer ofCase(DType dtype) throws Exception {
        var folder = Golden.part("dit", "transformer");
        var config = DitConfig.read(folder.resolve("config.json"));
        var files = WeightFiles.find(folder, WeightFiles.DIFFUSERS, null);
        try (var checkpoint = Safetensors.open(files.path(), LoadMode.MAPPED)) {
            return Weights.load(
                    checkpoint.weights(), dtype, Device.CPU, w -> new DitTransformer(w, config));
        }
    }

    private static Tensor run(DitTransformer network, Golden golden) throws Exception {
        return network.forward(
                golden.get("latents").to(network.dtype()),
                golden.get("timestep"),
                golden.get("labels"));
    }

    @Test
    void theCasesCall() throws Exception {
        try (var scope = TensorScope.open();
                var expected = Golden.ofCase("dit");
                var network = ofCase(DType.FLOAT32)) {
            var output =
                    network.forward(
                            expected.get("one_input"),
                            expected.get("one_timesteps"),
                            expected.get("one_labels"));
            expected.assertClose("one_output", output, 1e-5);
        }
    }

    @Test
    void timestepsDifferInTheBatch() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("dit");
                var network = ofCase(DType.FLOAT32)) {
            golden.assertClose("output", run(network, golden), 1e-5);
        }
    }

    @Test
    void optionsThatTheCaseLeavesOut() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("dit_plain");
                var network =
                        Weights.load(
                                golden.weights(),
                                null,
                                Device.CPU,
                                w -> new DitTransformer(w, PLAIN))) {
            golden.assertClose("output", run(network, golden), 1e-5);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"BFLOAT16", "FLOAT16"})
    void halfTypesAreNearFloat32(DType dtype) throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("dit");
                var network = ofCase(dtype)) {
            Tensor output = run(network, golden);
            assertEquals(dtype, output.dtype());
            golden.assertClose("output", output, dtype == DType.FLOAT16 ? 5e-3 : 4e-2);
        }
    }

    @Test
    void rowsDoNotMixAndSizesAreFree() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("dit");
                var network = ofCase(DType.FLOAT32)) {
            var wide = golden.get("latents").narrow(2, 0, 4); // [2,4,4,8]
            var timestep = golden.get("timestep");
            var labels = golden.get("labels");
            var both = network.forward(wide, timestep, labels);
            assertEquals(wide.shape().size(3), both.shape().size(3));
            var second =
                    network.forward(
                            wide.narrow(0, 1, 1), timestep.narrow(0, 1, 1), labels.narrow(0, 1, 1));
            Golden.assertClose("second", both.narrow(0, 1, 1), second, 1e-5);
        }
    }

    @Test
    void nothingIsLeftBehind() throws Exception {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var golden = Golden.network("dit");
                var network = ofCase(DType.FLOAT32)) {
            Tensor latents = golden.get("latents");
            Tensor timestep = golden.get("timestep");
            Tensor labels = golden.get("labels");
            long loaded = Memory.liveTensors();
            network.forward(latents, timestep, labels);
            assertEquals(loaded + 1, Memory.liveTensors());
            assertThrows(
                    RuntimeException.class,
                    () ->
                            network.forward(
                                    latents, timestep, Tensor.copyOf(new long[] {0, 1001}, 2)));
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void aDrawnNetworkBeginsWithZero() {
        try (var scope = TensorScope.open();
                var generator = new Generator(1);
                var network =
                        Weights.random(
                                1, DType.FLOAT32, Device.CPU, w -> new DitTransformer(w, PLAIN))) {
            var latents = Tensor.randn(generator, 1, 3, 6, 6);
            var label = Tensor.copyOf(new long[] {2}, 1);
            assertEquals(0, network.forward(latents, label, label).abs().max().item());
        }
    }

    @Test
    void aStudentThatIsToldTheGuidanceBeginsAsItsTeacher() throws Exception {
        var told = plain().timeCondProjDim(16).build();
        try (var scope = TensorScope.open();
                var golden = Golden.network("dit_plain");
                var teacher =
                        Weights.load(
                                golden.weights(),
                                null,
                                Device.CPU,
                                w -> new DitTransformer(w, PLAIN));
                var student =
                        Weights.random(
                                1, DType.FLOAT32, Device.CPU, w -> new DitTransformer(w, told))) {
            var parameters = student.parameters();
            teacher.state()
                    .forEach((name, value) -> parameters.get(name).value().copyInPlace(value));
            var latents = golden.get("latents");
            var timestep = golden.get("timestep");
            var labels = golden.get("labels");
            var w = Tensor.copyOf(new float[] {3, 7}, 2);
            Tensor expected = teacher.forward(latents, timestep, labels);
            assertTrue(expected.contentEquals(student.forward(latents, timestep, labels, w)));
            for (int block = 0; block < 2; block++) {
                var key =
                        "transformer_blocks.%d.norm1.emb.timestep_embedder.cond_proj.weight"
                                .formatted(block);
                parameters.get(key).value().copyInPlace(Tensor.ones(DType.FLOAT32, 256, 16));
            }
            Tensor steered = student.forward(latents, timestep, labels, w);
            assertTrue(Golden.relativeDifference(expected, steered) > 0.01);
            assertThrows(
                    IllegalArgumentException.class,
                    () -> student.forward(latents, timestep, labels));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> teacher.forward(latents, timestep, labels, w));
        }
    }

    /**
     * With the first time's embedders for the second too, a network of two times is the one of one
     * time at a mixture: at r, at t − r, or where both are the same.
     */
    @ParameterizedTest
    @CsvSource({"0, false, 400, 100, 400", "1, false, 400, 100, 100", "1, true, 400, 100, 300"})
    void theSecondTimeIsEmbeddedAsTheFirst(
            double gate, boolean interval, float t, float r, float same) throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("dit_plain");
                var teacher =
                        Weights.load(
                                golden.weights(),
                                null,
                                Device.CPU,
                                w -> new DitTransformer(w, PLAIN));
                var student = student(teacher, new SecondTime(gate, interval));
                var mixed = student(teacher, new SecondTime(0.25, false))) {
            var latents = golden.get("latents");
            var labels = golden.get("labels");
            Tensor expected = teacher.forward(latents, time(same), labels);
            Network network = student.bind(Condition.of(DitTransformer.LABELS, labels));
            Tensor actual = network.predict(latents, time(t), time(r));
            assertTrue(Golden.relativeDifference(expected, actual) < 1e-6);

            Network mixture = mixed.bind(Condition.of(DitTransformer.LABELS, labels));
            Tensor instant = teacher.forward(latents, time(t), labels);
            assertTrue(
                    Golden.relativeDifference(instant, mixture.predict(latents, time(t))) < 1e-6);
            assertTrue(
                    Golden.relativeDifference(instant, mixture.predict(latents, time(t), time(r)))
                            > 1e-3);
            Network ofOneTime = teacher.bind(Condition.of(DitTransformer.LABELS, labels));
            assertThrows(
                    IllegalArgumentException.class,
                    () -> ofOneTime.predict(latents, time(t), time(r)));
        }
    }

    private static Tensor time(float timestep) {
        return Tensor.copyOf(new float[] {timestep}, 1);
    }

    /** A network of two times, both embedded as the teacher's one. */
    private static DitTransformer student(DitTransformer teacher, SecondTime secondTime) {
        var config = plain().secondTime(secondTime).build();
        var student =
                Weights.random(1, DType.FLOAT32, Device.CPU, w -> new DitTransformer(w, config));
        var weights = teacher.state();
        student.parameters()
                .forEach(
                        (name, parameter) ->
                                parameter
                                        .value()
                                        .copyInPlace(
                                                weights.get(
                                                        name.replace(
                                                                "delta_embedder",
                                                                "timestep_embedder"))));
        return student;
    }

    @Test
    void refusesSizesThatAreNoMultiples() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("dit");
                var network = ofCase(DType.FLOAT32)) {
            var odd = golden.get("latents").narrow(3, 0, 7);
            var error =
                    assertThrows(
                            IllegalArgumentException.class,
                            () ->
                                    network.forward(
                                            odd, golden.get("timestep"), golden.get("labels")));
            assertTrue(error.getMessage().contains("[2, 4, 8, 7]"), error.getMessage());
        }
    }
}
