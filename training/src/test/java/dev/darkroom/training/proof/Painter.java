package dev.darkroom.training.proof;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.ConditionedNetwork;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.family.pixart.PixArtText;
import dev.darkroom.models.family.pixart.PixArtTransformer;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.nn.Activation;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.Weights;

/**
 * A small PixArt of {@link Pictures}, with its text encoder. Its output begins with 0: what score
 * matching says of the data where there is much noise is a small difference of large numbers, and
 * PyTorch's spread there takes longer to unlearn than the proof has.
 */
final class Painter extends Module implements ConditionedNetwork {
    private static final int WIDTH = 128;

    private final T5Encoder text;
    private final PixArtTransformer transformer;

    private Painter(Weights w) {
        super(w);
        text =
                new T5Encoder(
                        w.sub("text"),
                        T5Config.builder()
                                .vocabSize(Pictures.TOKENS)
                                .dModel(32)
                                .dKv(16)
                                .dFf(64)
                                .numLayers(1)
                                .numHeads(2)
                                .relativeAttentionNumBuckets(8)
                                .relativeAttentionMaxDistance(16)
                                .activation(Activation.GELU_TANH)
                                .gated(true)
                                .build());
        transformer =
                new PixArtTransformer(
                        w.sub("transformer"),
                        PixArtConfig.builder()
                                .numAttentionHeads(4)
                                .attentionHeadDim(WIDTH / 4)
                                .inChannels(3)
                                .outChannels(3)
                                .numLayers(2)
                                .crossAttentionDim(WIDTH)
                                .sampleSize(Pictures.SIZE)
                                .patchSize(4)
                                .interpolationScale(1.0)
                                .useAdditionalConditions(false)
                                .captionChannels(32)
                                .build());
    }

    static Painter random(long seed) {
        var painter = Weights.random(seed, DType.FLOAT32, Device.CPU, Painter::new);
        try (var mode = Mode.NO_GRAD.enter()) {
            Parameter output = painter.parameters().get("transformer.proj_out.weight");
            output.value().fillInPlace(0);
        }
        return painter;
    }

    /** The condition of captions, int64 {@code [N,L]}. */
    static Condition condition(Tensor captions) {
        return Condition.of("captions", captions);
    }

    @Override
    public Network bind(Condition condition) {
        return of(condition.get("captions"));
    }

    /**
     * The network of captions.
     *
     * @param captions int64 {@code [N,L]}
     */
    Network of(Tensor captions) {
        PixArtText prepared = transformer.prepare(text.forward(captions, null), null);
        return (x, timesteps) ->
                transformer.forward(x, timesteps.to(DType.FLOAT32), prepared, null);
    }
}
