package dev.darkroom.models.t5;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.nn.WeightsException;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.WeightFiles;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.LinkedHashMap;
import java.util.Map;

class T5EncoderTest {
    /** The small models of the golden file. */
    private static T5Config tiny(int buckets, int maxDistance, boolean gated) {
        return T5Config.builder()
                .vocabSize(24)
                .dModel(20)
                .dKv(6)
                .dFf(28)
                .numLayers(2)
                .numHeads(3)
                .relativeAttentionNumBuckets(buckets)
                .relativeAttentionMaxDistance(maxDistance)
                .activation(gated ? Activation.GELU_TANH : Activation.RELU)
                .gated(gated)
                .build();
    }

    private static T5Encoder load(WeightSource source, DType dtype, T5Config config)
            throws Exception {
        return Weights.load(source, dtype, Device.CPU, w -> new T5Encoder(w, config));
    }

    private static T5Encoder ofCase(String name, DType dtype) throws Exception {
        var folder = Golden.part(name, "text_encoder");
        var files = WeightFiles.find(folder, WeightFiles.TRANSFORMERS, null);
        try (var checkpoint = Safetensors.open(files.path(), LoadMode.MAPPED)) {
            return load(checkpoint.weights(), dtype, T5Config.read(folder.resolve("config.json")));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"pixart_alpha", "pixart_sigma", "pixart_lcm"})
    void encodesThePromptsOfTheCases(String name) throws Exception {
        try (var scope = TensorScope.open();
                var ids = Golden.network(name);
                var expected = Golden.ofCase(name);
                var encoder = ofCase(name, DType.FLOAT32)) {
            expected.assertClose(
                    "prompt_embeds",
                    encoder.forward(ids.get("prompt_ids"), expected.get("prompt_mask")),
                    1e-5);
            if (expected.has("negative_embeds")) {
                expected.assertClose(
                        "negative_embeds",
                        encoder.forward(
                                ids.get("negative_prompt_ids"), expected.get("negative_mask")),
                        1e-5);
            }
        }
    }

    @Test
    void reluAndDistancesBeyondTheTable() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("t5_v10");
                var encoder = load(golden.weights(), DType.FLOAT32, tiny(12, 16, false))) {
            golden.assertClose(
                    "output", encoder.forward(golden.get("ids"), golden.get("mask")), 1e-5);
        }
    }

    @Test
    void float16KeepsWhatOverflowsInFloat32() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("t5_half");
                var encoder = load(golden.weights(), DType.FLOAT16, tiny(32, 128, true))) {
            encoder.parameters()
                    .forEach(
                            (key, parameter) ->
                                    assertEquals(
                                            key.endsWith("wo.weight")
                                                    ? DType.FLOAT32
                                                    : DType.FLOAT16,
                                            parameter.value().dtype(),
                                            key));
            Tensor output = encoder.forward(golden.get("ids"), golden.get("mask"));
            assertEquals(DType.FLOAT16, output.dtype());
            Tensor exact = golden.get("output_float32");
            double reference = Golden.relativeDifference(exact, golden.get("output"));
            Golden.assertClose("t5_half", exact, output, 1.5 * reference);
            golden.assertClose("output", output, 1.5 * reference);

            encoder.to(DType.BFLOAT16);
            encoder.parameters()
                    .forEach((k, p) -> assertEquals(DType.BFLOAT16, p.value().dtype(), k));
        }
    }

    @Test
    void overflowInFloat16DoesNotReachTheOutput() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("t5_half")) {
            Map<String, Tensor> weights = copy(golden.weights());
            weights.computeIfPresent(
                    "encoder.block.0.layer.0.SelfAttention.o.weight", (k, o) -> o.times(30_000));
            try (var encoder =
                    load(WeightSource.of("huge", weights), DType.FLOAT16, tiny(32, 128, true))) {
                Tensor output = encoder.forward(golden.get("ids"), golden.get("mask"));
                assertTrue(output.isFinite().all().item() == 1);
            }
        }
    }

    private static Map<String, Tensor> copy(WeightSource source) throws Exception {
        var tensors = new LinkedHashMap<String, Tensor>();
        for (String key : source.keys()) {
            tensors.put(key, source.read(key));
        }
        return tensors;
    }

    @ParameterizedTest
    @EnumSource(names = {"BFLOAT16", "FLOAT16"})
    void halfTypesAreNearFloat32(DType dtype) throws Exception {
        try (var scope = TensorScope.open();
                var ids = Golden.network("pixart_sigma");
                var expected = Golden.ofCase("pixart_sigma");
                var encoder = ofCase("pixart_sigma", dtype)) {
            Tensor output = encoder.forward(ids.get("prompt_ids"), expected.get("prompt_mask"));
            assertEquals(dtype, output.dtype());
            // The reference's own float16 is 5e-3 away: scores are not scaled, so rounding them
            // tells.
            expected.assertClose("prompt_embeds", output, dtype == DType.FLOAT16 ? 1e-2 : 8e-2);
        }
    }

    @Test
    void eitherNameOfTheTableOfWordsWillDo() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("t5_v10")) {
            Map<String, Tensor> weights = copy(golden.weights());
            Tensor table = weights.remove("encoder.embed_tokens.weight");
            var expected = golden.get("output");
            var config = tiny(12, 16, false);

            weights.put("shared.weight", table);
            try (var encoder = load(WeightSource.of("shared", weights), DType.FLOAT32, config)) {
                Golden.assertClose(
                        "shared",
                        expected,
                        encoder.forward(golden.get("ids"), golden.get("mask")),
                        1e-5);
            }
            weights.put("encoder.embed_tokens.weight", table);
            weights.put("decoder.block.0.layer.0.SelfAttention.q.weight", table);
            weights.put("lm_head.weight", table);
            try (var encoder = load(WeightSource.of("all", weights), DType.FLOAT32, config)) {
                assertTrue(encoder.parameters().containsKey("shared.weight"));
            }
            weights.remove("encoder.embed_tokens.weight");
            weights.remove("shared.weight");
            var missing =
                    assertThrows(
                            WeightsException.class,
                            () -> load(WeightSource.of("none", weights), null, config));
            assertTrue(missing.getMessage().contains("shared.weight"), missing.getMessage());
        }
    }

    @Test
    void noMaskIsAMaskOfOnes() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.network("t5_v10");
                var encoder = load(golden.weights(), DType.FLOAT32, tiny(12, 16, false))) {
            Tensor ids = golden.get("ids");
            Tensor ones = Tensor.ones(DType.INT64, 2, 40);
            Golden.assertClose(
                    "output", encoder.forward(ids, ones), encoder.forward(ids, null), 1e-6);
            var error =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> encoder.forward(ids, Tensor.ones(DType.INT64, 2, 39)));
            assertTrue(error.getMessage().contains("[2, 39]"), error.getMessage());
        }
    }

    @Test
    void nothingIsLeftBehind() throws Exception {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var golden = Golden.network("t5_v10");
                var encoder = load(golden.weights(), DType.FLOAT32, tiny(12, 16, false))) {
            Tensor ids = golden.get("ids");
            Tensor mask = golden.get("mask");
            long loaded = Memory.liveTensors();
            try (Tensor output = encoder.forward(ids, mask)) {
                assertEquals(loaded + 1, Memory.liveTensors(), "output " + output);
            }
        }
        assertEquals(before, Memory.liveTensors());
    }

    /** The spreads of transformers' T5: with others, a new encoder learns a bag of words. */
    @Test
    void beginsWithWordsThatItsBlocksDoNotDrown() {
        var config =
                T5Config.builder()
                        .vocabSize(100)
                        .dModel(64)
                        .dKv(32)
                        .dFf(128)
                        .numLayers(1)
                        .numHeads(4)
                        .relativeAttentionNumBuckets(16)
                        .relativeAttentionMaxDistance(32)
                        .activation(Activation.GELU_TANH)
                        .gated(true)
                        .build();
        try (var scope = TensorScope.open();
                var encoder =
                        Weights.random(
                                1, DType.FLOAT32, Device.CPU, w -> new T5Encoder(w, config))) {
            String attention = "encoder.block.0.layer.0.SelfAttention.";
            String feedForward = "encoder.block.0.layer.1.DenseReluDense.";
            Map.of(
                            "shared.weight",
                            1.0,
                            attention + "q.weight",
                            1 / Math.sqrt(64 * 32),
                            attention + "k.weight",
                            1 / Math.sqrt(64),
                            attention + "o.weight",
                            1 / Math.sqrt(4 * 32),
                            attention + "relative_attention_bias.weight",
                            1 / Math.sqrt(64),
                            feedForward + "wo.weight",
                            1 / Math.sqrt(128))
                    .forEach(
                            (name, std) -> {
                                Tensor value = encoder.parameters().get(name).value().detach();
                                double deviation = Math.sqrt(value.square().mean().item());
                                assertEquals(std, deviation, 0.25 * std, name);
                            });
        }
    }
}
