package dev.darkroom.models.family.pixart;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.testing.Golden;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class PixArtTransformerTest {
    private static final PixArtConfig PLAIN =
            PixArtConfig.builder()
                    .numAttentionHeads(2)
                    .attentionHeadDim(8)
                    .outChannels(4)
                    .numLayers(1)
                    .crossAttentionDim(20)
                    .attentionBias(false)
                    .sampleSize(12)
                    .activation(Activation.GELU)
                    .interpolationScale(3.0)
                    .useAdditionalConditions(false)
                    .build();

    private static final PixArtConfig TOLD =
            PixArtConfig.builder()
                    .numAttentionHeads(2)
                    .attentionHeadDim(8)
                    .outChannels(4)
                    .numLayers(2)
                    .crossAttentionDim(16)
                    .sampleSize(8)
                    .interpolationScale(1.0)
                    .useAdditionalConditions(false)
                    .captionChannels(12)
                    .timeCondProjDim(32)
                    .build();

    private static PixArtTransformer ofCase(String name, DType dtype) throws Exception {
        var folder = Golden.part(name, "transformer");
        var config = PixArtConfig.read(folder.resolve("config.json"));
        var files = WeightFiles.find(folder, WeightFiles.DIFFUSERS, null);
        try (var checkpoint = Safetensors.open(files.path(), LoadMode.MAPPED)) {
            return Weights.load(
                    checkpoint.weights(), dtype, Device.CPU, w -> new PixArtTransformer(w, config));
        }
    }

    private static @Nullable PixArtSize size(Golden golden) throws Exception {
        return golden.has("resolution")
                ? new PixArtSize(golden.get("resolution"), golden.get("aspect_ratio"))
                : null;
    }

    private static Tensor run(PixArtTransformer network, Golden golden) throws Exception {
        var dtype = network.dtype();
        var text = network.prepare(golden.get("embeds").to(dtype), golden.get("mask"));
        return network.forward(
                golden.get("latents").to(dtype), golden.get("timestep"), text, size(golden));
    }

    @ParameterizedTest
    @ValueSource(strings = {"pixart_alpha", "pixart_sigma", "pixart_lcm"})
    void predictsAsTheReference(String name) throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network(name);
                var network = ofCase(name, DType.FLOAT32)) {
            golden.assertClose("output", run(network, golden), 1e-5);
        }
    }

    @Test
    void optionsThatTheCasesLeaveOut() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("pixart_plain");
                var network =
                        Weights.load(
                                golden.weights(),
                                null,
                                Device.CPU,
                                w -> new PixArtTransformer(w, PLAIN))) {
            golden.assertClose("output", run(network, golden), 1e-5);
        }
    }

    @Test
    void aGuidanceIsToldAsInDiffusers() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.guidance("pixart");
                var network =
                        Weights.load(
                                golden.weights(),
                                null,
                                Device.CPU,
                                w -> new PixArtTransformer(w, TOLD))) {
            var latents = golden.get("latents");
            var timestep = golden.get("timestep");
            var text = network.prepare(golden.get("embeds"), golden.get("mask"));
            golden.assertClose(
                    "output",
                    network.forward(latents, timestep, text, null, golden.get("w")),
                    1e-5);
            assertMessage(
                    "time_cond_proj_dim", () -> network.forward(latents, timestep, text, null));
        }
    }

    @Test
    void aDrawnOneHasTheSpreadsOfPyTorch() {
        var wide =
                PixArtConfig.builder()
                        .numAttentionHeads(2)
                        .attentionHeadDim(32)
                        .outChannels(4)
                        .numLayers(1)
                        .crossAttentionDim(64)
                        .attentionBias(false)
                        .sampleSize(48)
                        .activation(Activation.GELU)
                        .interpolationScale(1.0)
                        .useAdditionalConditions(false)
                        .build();
        try (var scope = TensorScope.open();
                var network =
                        Weights.random(
                                1,
                                DType.FLOAT32,
                                Device.CPU,
                                w -> new PixArtTransformer(w, wide))) {
            network.parameters()
                    .forEach(
                            (name, each) -> {
                                Tensor value = each.value().detach();
                                double found = Math.sqrt(value.square().mean().item());
                                double inputs = (double) value.elements() / value.size(0);
                                double std =
                                        switch (name.substring(name.lastIndexOf('.') + 1)) {
                                            case "weight" -> 1 / Math.sqrt(3 * inputs);
                                            case "scale_shift_table" -> 1 / Math.sqrt(inputs);
                                            default -> 0;
                                        };
                                assertEquals(std, found, 0.15 * std, name);
                            });
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"BFLOAT16", "FLOAT16"})
    void halfTypesAreNearFloat32(DType dtype) throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("pixart_alpha");
                var network = ofCase("pixart_alpha", dtype)) {
            Tensor output = run(network, golden);
            assertEquals(dtype, output.dtype());
            golden.assertClose("output", output, dtype == DType.FLOAT16 ? 5e-3 : 4e-2);
        }
    }

    @Test
    void oneTimestepAndSizeServeTheBatch() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("pixart_alpha");
                var network = ofCase("pixart_alpha", DType.FLOAT32)) {
            var latents = golden.get("latents");
            var text = network.prepare(golden.get("embeds"), golden.get("mask"));
            var each =
                    network.forward(
                            latents, Tensor.copyOf(new long[] {37, 37}, 2), text, size(golden));
            var shared =
                    network.forward(
                            latents,
                            Tensor.copyOf(new long[] {37}, 1),
                            text,
                            PixArtSize.of(768, 1280, DType.FLOAT32));
            Golden.assertClose("shared", each, shared, 1e-5);
        }
    }

    @Test
    void paddingHasNoInfluence() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("pixart_lcm");
                var network = ofCase("pixart_lcm", DType.FLOAT32)) {
            var latents = golden.get("latents").narrow(0, 0, 1);
            var timestep = golden.get("timestep").narrow(0, 0, 1);
            var embeds = golden.get("embeds").narrow(0, 0, 1);
            var mask = golden.get("mask").narrow(0, 0, 1); // 7 of 12 tokens
            var masked = network.forward(latents, timestep, network.prepare(embeds, mask), null);
            var cut = network.prepare(embeds.narrow(1, 0, 7), null);
            Golden.assertClose("cut", masked, network.forward(latents, timestep, cut, null), 1e-5);
        }
    }

    @Test
    void nothingIsLeftBehind() throws Exception {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var golden = Golden.network("pixart_sigma");
                var network = ofCase("pixart_sigma", DType.FLOAT32)) {
            Tensor latents = golden.get("latents");
            Tensor timestep = golden.get("timestep");
            Tensor embeds = golden.get("embeds");
            Tensor mask = golden.get("mask");
            long loaded = Memory.liveTensors();
            var text = network.prepare(embeds, mask);
            assertEquals(loaded + 2 * 2 + 1, Memory.liveTensors()); // two blocks, a bias
            network.forward(latents, timestep, text, null);
            assertEquals(loaded + 2 * 2 + 2, Memory.liveTensors());
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void gradientsReachEveryParameter() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("pixart_alpha");
                var network = ofCase("pixart_alpha", DType.FLOAT32);
                var mode = Mode.GRAD.enter()) {
            network.parameters().values().forEach(p -> p.value().requiresGrad(true));
            run(network, golden).square().mean().backward();
            network.parameters()
                    .forEach(
                            (key, parameter) -> {
                                Tensor grad = parameter.value().grad();
                                // A bias of the keys shifts all scores alike: no gradient but
                                // noise.
                                assertTrue(
                                        grad != null
                                                && (key.endsWith("to_k.bias")
                                                        || grad.abs().max().item() > 1e-7),
                                        key);
                            });
        }
    }

    @Test
    void refusesWhatDoesNotFit() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("pixart_alpha");
                var network = ofCase("pixart_alpha", DType.FLOAT32)) {
            var embeds = golden.get("embeds");
            var text = network.prepare(embeds, null);
            var timestep = golden.get("timestep");
            var latents = golden.get("latents");
            assertMessage("size", () -> network.forward(latents, timestep, text, null));
            var odd = latents.narrow(2, 0, 5);
            assertMessage(
                    "[2, 4, 5, 10]", () -> network.forward(odd, timestep, text, size(golden)));
            assertMessage("[2, 12, 31]", () -> network.prepare(embeds.narrow(2, 0, 31), null));
            assertMessage(
                    "[2, 11]", () -> network.prepare(embeds, Tensor.ones(DType.INT64, 2, 11)));
            assertMessage("[1]", () -> new PixArtSize(Tensor.ones(DType.FLOAT32, 1), latents));
        }
    }

    private static void assertMessage(
            String part, org.junit.jupiter.api.function.Executable executable) {
        var error = assertThrows(IllegalArgumentException.class, executable);
        assertTrue(error.getMessage().contains(part), error.getMessage());
    }
}
