package dev.darkroom.training.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.config.ConfigReader;
import dev.darkroom.models.family.dit.DitConfig;
import dev.darkroom.models.family.dit.DitTransformer;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.family.pixart.PixArtTransformer;
import dev.darkroom.models.lora.Lora;
import dev.darkroom.models.lora.LoraConfig;
import dev.darkroom.models.t5.T5Config;
import dev.darkroom.models.t5.T5Encoder;
import dev.darkroom.models.vae.AutoencoderKl;
import dev.darkroom.models.vae.AutoencoderKlConfig;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Checkpointing;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.Segments;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.ParameterGroup;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.LongStream;

/** A learner's gradients with checkpointing against those without, in float64. */
class CheckpointedNetworksTest {
    private static final PixArtConfig PIXART =
            PixArtConfig.builder()
                    .numAttentionHeads(4)
                    .attentionHeadDim(8)
                    .numLayers(8)
                    .crossAttentionDim(32)
                    .sampleSize(16)
                    .interpolationScale(1.0)
                    .useAdditionalConditions(false)
                    .captionChannels(12)
                    .timeCondProjDim(16)
                    .build();
    private static final DitConfig DIT =
            DitConfig.builder()
                    .numAttentionHeads(4)
                    .attentionHeadDim(8)
                    .outChannels(8)
                    .numLayers(8)
                    .sampleSize(16)
                    .numEmbedsAdaNorm(10)
                    .timeCondProjDim(16)
                    .build();

    /** Weights that leave no part without a gradient, as drawn ones would. */
    private static <M extends Module> M drawn(Function<Weights, M> network) {
        M made = Weights.random(1, DType.FLOAT64, Device.CPU, network);
        try (var scope = TensorScope.open();
                var generator = new Generator(2)) {
            for (Parameter each : made.parameters().values()) {
                each.value()
                        .copyInPlace(
                                Tensor.randn(each.shape(), generator, DType.FLOAT64, Device.CPU)
                                        .times(0.2));
            }
        }
        return made;
    }

    private static Tensor noise(long... shape) {
        try (var generator = new Generator(3)) {
            return Tensor.randn(generator, shape).to(DType.FLOAT64);
        }
    }

    private static Tensor pixArt(PixArtTransformer network) {
        var mask = Tensor.copyOf(new long[] {1, 1, 1, 1, 0, 0}, 2, 3);
        var text = network.prepare(noise(2, 3, 12), mask);
        return network.forward(
                        noise(2, 4, 16, 16),
                        Tensor.copyOf(new long[] {999, 3}, 2),
                        text,
                        null,
                        Tensor.copyOf(new float[] {3, 7}, 2))
                .square()
                .mean();
    }

    private static Tensor dit(DitTransformer network) {
        return network.forward(
                        noise(2, 4, 16, 16),
                        Tensor.copyOf(new long[] {999, 3}, 2),
                        Tensor.copyOf(new long[] {4, 10}, 2),
                        Tensor.copyOf(new float[] {3, 7}, 2))
                .square()
                .mean();
    }

    /**
     * A learner's pass forward and back.
     *
     * @param peak bytes above what was live before
     */
    private record Pass(Map<String, Tensor> gradients, long peak) {}

    /** Gradients of a loss, which must leave no tensors but them. */
    private static Pass pass(
            Module network,
            Map<String, Parameter> trained,
            Supplier<Tensor> loss,
            @Nullable Checkpointing checkpoints) {
        var optimizer =
                new AdamW(
                        List.of(new ParameterGroup("all", trained, 0, 0)), AdamW.Options.DEFAULTS);
        long before = Memory.liveTensors();
        try (var learner = new Learner(trained, optimizer, null, checkpoints)) {
            network.segments(checkpoints == null ? Segments.RECORDED : checkpoints);
            Memory.resetPeak(Device.CPU);
            long live = Memory.liveBytes();
            try (var scope = TensorScope.open();
                    var mode = Mode.GRAD.enter()) {
                learner.backward(loss.get());
            }
            long peak = Memory.stats(Device.CPU).peak() - live;
            assertEquals(before, Memory.liveTensors());
            var gradients = new LinkedHashMap<String, Tensor>();
            trained.forEach((name, each) -> gradients.put(name, each.value().grad().copy()));
            optimizer.zeroGrad();
            return new Pass(gradients, peak);
        }
    }

    private static void assertSame(
            Module network, Map<String, Parameter> trained, Supplier<Tensor> loss, double share) {
        try (var scope = TensorScope.open()) {
            Pass plain = pass(network, trained, loss, null);
            Pass checkpointed = pass(network, trained, loss, new Checkpointing());
            double largest = 0;
            for (Tensor gradient : plain.gradients.values()) {
                largest = Math.max(largest, gradient.abs().max().item());
            }
            // A bias of keys shifts all scores alike: its gradient is rounding.
            double rounding = 1e-14 * largest;
            plain.gradients.forEach(
                    (name, gradient) -> {
                        Tensor other = checkpointed.gradients.get(name);
                        double difference = gradient.minus(other).abs().max().item();
                        double bound = Math.max(1e-12 * gradient.abs().max().item(), rounding);
                        assertTrue(difference <= bound, name + " differs by " + difference);
                    });
            assertTrue(
                    checkpointed.peak < share * plain.peak,
                    checkpointed.peak + " bytes, plain " + plain.peak);
        }
    }

    private static void assertSame(Module network, Supplier<Tensor> loss, double share) {
        network.train();
        assertSame(network, network.trainable(), loss, share);
    }

    @Test
    void pixArt() {
        try (var network = drawn(w -> new PixArtTransformer(w, PIXART))) {
            assertSame(network, () -> pixArt(network), 0.5);
        }
    }

    @Test
    void dit() {
        try (var network = drawn(w -> new DitTransformer(w, DIT))) {
            assertSame(network, () -> dit(network), 0.5);
        }
    }

    @Test
    void autoencoder() {
        var config =
                ConfigReader.of(
                        """
                        {"block_out_channels": [8, 16, 16], "layers_per_block": 2,
                         "norm_num_groups": 4, "down_block_types":
                         ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
                         "up_block_types":
                         ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}
                        """,
                        AutoencoderKlConfig::of);
        try (var network = drawn(w -> new AutoencoderKl(w, config))) {
            Supplier<Tensor> loss =
                    () -> {
                        var latents = network.encode(noise(2, 3, 32, 32));
                        return network.decode(latents.mean())
                                .square()
                                .mean()
                                .plus(latents.logVariance().square().mean());
                    };
            assertSame(network, loss, 0.75);
        }
    }

    @Test
    void textEncoder() {
        var config =
                ConfigReader.of(
                        """
                        {"model_type": "t5", "vocab_size": 20, "d_model": 32, "d_kv": 8, "d_ff": 64,
                         "num_layers": 8, "num_heads": 4, "feed_forward_proj": "gated-gelu"}
                        """,
                        T5Config::of);
        try (var network = drawn(w -> new T5Encoder(w, config))) {
            long[] tokens = LongStream.range(0, 16 * 24).map(i -> i % 20).toArray();
            var ids = Tensor.copyOf(tokens, 16, 24);
            Supplier<Tensor> loss = () -> network.forward(ids, null).square().mean();
            assertSame(network, loss, 0.5);
        }
    }

    /** The blocks before the first adapter get no gradient. */
    @Test
    void adaptersOfALaterBlock() {
        try (var scope = TensorScope.open();
                var generator = new Generator(4);
                var network = drawn(w -> new PixArtTransformer(w, PIXART));
                var lora =
                        Lora.create(
                                network,
                                new LoraConfig(2, 2, List.of("transformer_blocks.5.attn1.to_q")),
                                generator)) {
            lora.train(true);
            assertSame(network, lora.parameters(), () -> pixArt(network), 1);
        }
    }

    @Test
    void aLossThatIsNotFollowedLeavesNothing() {
        try (var network = drawn(w -> new DitTransformer(w, DIT))) {
            network.train();
            var optimizer =
                    new AdamW(
                            List.of(new ParameterGroup("all", network.trainable(), 0, 0)),
                            AdamW.Options.DEFAULTS);
            long before = Memory.liveTensors();
            var checkpoints = new Checkpointing();
            network.segments(checkpoints);
            try (var learner = new Learner(network.trainable(), optimizer, null, checkpoints)) {
                try (var scope = TensorScope.open();
                        var mode = Mode.GRAD.enter()) {
                    dit(network);
                }
                assertTrue(Memory.liveTensors() > before);
                learner.discard();
                assertEquals(before, Memory.liveTensors());
            }
        }
    }
}
