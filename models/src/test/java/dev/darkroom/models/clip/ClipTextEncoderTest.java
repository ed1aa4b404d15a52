package dev.darkroom.models.clip;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.text.Encoded;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;

class ClipTextEncoderTest {
    /** The small models of the golden file; one has the old way to say where a text ends. */
    private static ClipConfig config(String name) {
        boolean projects = name.equals("clip_projected");
        return ClipConfig.builder()
                .vocabSize(24)
                .hiddenSize(12)
                .intermediateSize(20)
                .numHiddenLayers(3)
                .numAttentionHeads(3)
                .maxPositionEmbeddings(8)
                .activation(projects ? Activation.GELU : Activation.QUICK_GELU)
                .eosTokenId(projects ? 21 : ClipConfig.OLD_EOS)
                .projectionDim(projects ? 7 : null)
                .build();
    }

    private static ClipTextEncoder made(String name) throws IOException {
        return Golden.network(w -> new ClipTextEncoder(w, config(name)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"clip", "clip_projected"})
    void equalsTransformers(String name) throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.unet(name);
                var encoder = made(name)) {
            Tensor ids = golden.get("ids");
            Encoded last = encoder.encode(ids, null);
            golden.assertClose("last", last.states(), 1e-6);
            golden.assertClose("pooled", last.pooled(), 1e-6);
            Encoded penultimate = encoder.encode(ids, null, ClipStates.PENULTIMATE);
            golden.assertClose("penultimate", penultimate.states(), 1e-6);
            golden.assertClose("pooled", penultimate.pooled(), 1e-6);
            var skipped = ClipStates.LAST.skipping(2);
            golden.assertClose("skipped_normed", encoder.encode(ids, null, skipped).states(), 1e-6);
            var all = new ClipStates(3, false);
            golden.assertClose("embeddings", encoder.encode(ids, null, all).states(), 1e-6);
            Encoded masked = encoder.encode(ids, golden.get("mask"));
            golden.assertClose("masked", masked.states(), 1e-6);
        }
    }

    /** A text is read no further than its tokens: what comes after them changes nothing before. */
    @Test
    void tokensSeeOnlyThoseBefore() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.unet("clip");
                var encoder = made("clip")) {
            Tensor ids = Tensor.copyOf(new long[] {22, 5, 9, 23, 1, 2}, 1, 6);
            Tensor other = Tensor.copyOf(new long[] {22, 5, 9, 23, 7, 3}, 1, 6);
            Tensor first = encoder.encode(ids, null).states().narrow(1, 0, 4);
            Tensor second = encoder.encode(other, null).states().narrow(1, 0, 4);
            assertEquals(0, Golden.relativeDifference(first, second));
        }
    }

    @Test
    void whatItCanNotReadIsNamed() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.unet("clip");
                var encoder = made("clip")) {
            Tensor ids = golden.get("ids");
            assertRefused(
                    "at most 8 tokens, not 9",
                    () -> encoder.encode(Tensor.zeros(DType.INT64, 1, 9), null));
            assertRefused("[N,L]", () -> encoder.encode(ids.select(0, 0), null));
            assertRefused(
                    "of the same shape", () -> encoder.encode(ids, Tensor.ones(DType.INT64, 2, 5)));
            assertRefused(
                    "4 layers can't be left out of 3",
                    () -> encoder.encode(ids, null, ClipStates.PENULTIMATE.skipping(3)));
            assertRefused("-1", () -> new ClipStates(-1, true));
        }
    }

    private static void assertRefused(String reason, Runnable call) {
        var refused = assertThrows(IllegalArgumentException.class, call::run);
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }
}
