package dev.darkroom.training.stage;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.family.pixart.PixArtTransformer;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.ParameterGroup;

import org.junit.jupiter.api.Test;

import java.util.List;
import java.util.Map;
import java.util.Set;

class OptimizerConfigTest {
    private static final PixArtConfig PIXART =
            PixArtConfig.builder()
                    .numAttentionHeads(2)
                    .attentionHeadDim(8)
                    .inChannels(4)
                    .outChannels(4)
                    .numLayers(1)
                    .crossAttentionDim(16)
                    .attentionBias(false)
                    .sampleSize(12)
                    .patchSize(2)
                    .activation(Activation.GELU)
                    .normEps(1e-6)
                    .interpolationScale(1.0)
                    .useAdditionalConditions(false)
                    .captionChannels(12)
                    .build();

    private static final T5Config T5 =
            T5Config.builder()
                    .vocabSize(30)
                    .dModel(12)
                    .dKv(4)
                    .dFf(16)
                    .numLayers(1)
                    .numHeads(3)
                    .relativeAttentionNumBuckets(8)
                    .relativeAttentionMaxDistance(16)
                    .layerNormEpsilon(1e-6)
                    .activation(Activation.GELU_TANH)
                    .gated(true)
                    .build();

    private static List<ParameterGroup> groups(String json) {
        OptimizerConfig config = ConfigReader.of(json, OptimizerConfig::of);
        try (var network =
                        Weights.random(
                                1,
                                DType.FLOAT32,
                                Device.CPU,
                                w -> new PixArtTransformer(w, PIXART));
                var text =
                        Weights.random(1, DType.FLOAT32, Device.CPU, w -> new T5Encoder(w, T5))) {
            return config.groups(Map.of("transformer", network, "text_encoder", text));
        }
    }

    @Test
    void muonTakesWhatIsInBlocksOfAnythingButATextEncoder() {
        List<ParameterGroup> groups =
                groups("{\"learningRate\": 0.1, \"muonLearningRate\": 0.2, \"weightDecay\": 0.3}");
        ParameterGroup muon = groups.getFirst();
        assertEquals(0.2, muon.learningRate());
        assertEquals(0.3, muon.weightDecay());
        Set<String> names = muon.parameters().keySet();
        assertEquals(10, names.size()); // of two attentions and a feed-forward network
        assertTrue(names.contains("transformer.transformer_blocks.0.attn2.to_k.weight"));
        assertTrue(names.stream().noneMatch(name -> name.startsWith("text_encoder")), names + "");
        String query = "text_encoder.encoder.block.0.layer.0.SelfAttention.q.weight";
        assertTrue(groups.get(3).parameters().containsKey(query));
    }

    @Test
    void aTextEncoderHasARateOfItsOwn() {
        List<ParameterGroup> groups = groups("{\"learningRate\": 0.25, \"textLearningRate\": 0.5}");
        for (ParameterGroup group : groups) {
            boolean text = group.name().startsWith("text");
            assertEquals(text ? 0.5 : 0.25, group.learningRate(), group.name());
            assertTrue(
                    group.parameters().keySet().stream()
                            .allMatch(
                                    name ->
                                            name.startsWith("text_encoder")
                                                    == (text
                                                            || group.name()
                                                                    .equals("token embeddings"))));
        }
    }

    @Test
    void tokenEmbeddingsHaveARateOfTheirOwn() {
        ParameterGroup embeddings = groups("{\"wordLearningRate\": 0.5}").getLast();
        assertEquals(Set.of("text_encoder.shared.weight"), embeddings.parameters().keySet());
        assertEquals(0.5, embeddings.learningRate());
        assertEquals(0, embeddings.weightDecay());
        assertEquals(0.25, groups("{\"learningRate\": 0.25}").getLast().learningRate());
    }
}
