package dev.darkroom.models.unet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.diffusion.Condition;
import dev.darkroom.models.diffusion.Network;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Checkpointing;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

class UnetTest {
    /** Three levels, attention in the first alone, a convolution before the transformers. */
    private static final UnetConfig PLAIN =
            UnetConfig.builder()
                    .inChannels(5)
                    .sampleSize(8)
                    .downBlockAttention(List.of(true, false, false))
                    .upBlockAttention(List.of(false, false, true))
                    .blockOutChannels(List.of(4, 4, 6))
                    .layersPerBlock(1)
                    .normNumGroups(2)
                    .crossAttentionDim(6)
                    .attentionHeads(List.of(2, 2, 2))
                    .transformerLayers(List.of(1, 1, 1))
                    .onlyCrossAttention(List.of(false, false, false))
                    .build();

    /** Every other option. */
    static final UnetConfig FULL =
            UnetConfig.builder()
                    .sampleSize(8)
                    .downBlockAttention(List.of(false, true))
                    .upBlockAttention(List.of(true, false))
                    .blockOutChannels(List.of(4, 8))
                    .layersPerBlock(1)
                    .normNumGroups(2)
                    .crossAttentionDim(6)
                    .attentionHeads(List.of(2, 4))
                    .transformerLayers(List.of(1, 2))
                    .onlyCrossAttention(List.of(false, true))
                    .useLinearProjection(true)
                    .numClassEmbeds(5)
                    .additionTimeEmbedDim(4)
                    .projectionInputDim(30)
                    .timeCondProjDim(8)
                    .build();

    /** Layers of {@link #FULL} that project the text. */
    private static final int KEYS_AND_VALUES = 2 * 14;

    private static Unet made(UnetConfig config) throws IOException {
        return Golden.network(w -> new Unet(w, config));
    }

    private static UnetCondition full(Golden golden) throws Exception {
        return new UnetCondition(
                golden.get("text"),
                golden.get("pooled"),
                golden.get("sizes"),
                golden.get("labels"),
                golden.get("guidance"));
    }

    /** The sizes are odd, so that the way up has to find what the way down had. */
    @Test
    void equalsDiffusers() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.unet("plain");
                var network = made(PLAIN)) {
            Tensor output =
                    network.forward(
                            golden.get("latents"),
                            golden.get("timestep"),
                            UnetCondition.of(golden.get("text")));
            golden.assertClose("output", output, 2e-6);
        }
    }

    /** Networks that were made smaller by leaving blocks out, as SSD-1B and BK-SDM. */
    @ParameterizedTest
    @CsvSource({"uneven, ATTENTION", "residual, RESIDUAL", "hollow, NOTHING"})
    void equalsDiffusersWithBlocksLeftOut(String name, UnetConfig.Middle middle) throws Exception {
        long before = Memory.liveTensors();
        UnetConfig.Builder config =
                UnetConfig.builder()
                        .downBlockAttention(List.of(false, true))
                        .upBlockAttention(List.of(true, false))
                        .blockOutChannels(List.of(4, 6))
                        .normNumGroups(2)
                        .crossAttentionDim(6)
                        .attentionHeads(List.of(2, 2))
                        .transformerLayers(List.of(1, 1))
                        .onlyCrossAttention(List.of(false, false))
                        .middle(middle);
        if (name.equals("uneven")) {
            config.depths(
                    new UnetConfig.Depths(
                            List.of(List.of(1), List.of(2, 1)),
                            List.of(List.of(1, 3, 2), List.of(1))));
        }
        try (var scope = TensorScope.open();
                var golden = Golden.unet(name);
                var network = made(config.build())) {
            Tensor latents = golden.get("latents");
            var text = UnetCondition.of(golden.get("text"));
            Tensor output = network.forward(latents, golden.get("timestep"), text);
            golden.assertClose("output", output, 2e-6);
        }
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void equalsDiffusersWithEveryOption() throws Exception {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open();
                var golden = Golden.unet("full");
                var network = made(FULL)) {
            Tensor latents = golden.get("latents");
            Tensor timestep = golden.get("timestep");
            golden.assertClose("output", network.forward(latents, timestep, full(golden)), 2e-6);
            Network bound = network.bind(condition(golden));
            golden.assertClose("output", bound.predict(latents, timestep), 2e-6);
        }
        assertEquals(before, Memory.liveTensors());
    }

    private static Condition condition(Golden golden) throws Exception {
        return Condition.of(Unet.TEXT, golden.get("text"))
                .with(Unet.POOLED, golden.get("pooled"))
                .with(Unet.SIZES, golden.get("sizes"))
                .with(Unet.LABELS, golden.get("labels"))
                .with(Condition.DISTILLED_GUIDANCE, golden.get("guidance"));
    }

    /** Counts how often the layers that project a text are applied. */
    static final class Projections implements Linear.Adapter {
        private int applied;

        Projections(Module network, UnetConfig config) {
            for (Linear layer : network.modules(Linear.class).values()) {
                if (layer.weight().shape().size(1) == config.crossAttentionDim()) {
                    layer.attach(this);
                }
            }
        }

        int applied() {
            return applied;
        }

        @Override
        public double scale() {
            applied++;
            return 0;
        }

        @Override
        public Tensor forward(Tensor x) {
            throw new AssertionError("an adapter that is off was applied");
        }
    }

    @Test
    void aTextIsProjectedOnceForAllEvaluations() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.unet("full");
                var network = made(FULL)) {
            Tensor latents = golden.get("latents");
            UnetCondition anew = full(golden);
            var projections = new Projections(network, FULL);
            Network bound = network.bind(condition(golden));
            assertEquals(KEYS_AND_VALUES, projections.applied());
            for (long each : new long[] {999, 500, 1}) {
                Tensor timestep = Tensor.copyOf(new long[] {each}, 1);
                int before = projections.applied();
                float[] predicted = bound.predict(latents, timestep).toFloatArray();
                assertEquals(before, projections.applied());
                float[] expected = network.forward(latents, timestep, anew).toFloatArray();
                assertEquals(before + KEYS_AND_VALUES, projections.applied());
                assertArrayEquals(expected, predicted);
            }
        }
    }

    @Test
    void checkpointingGivesTheSameGradients() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.unet("full");
                var network = made(FULL)) {
            Network anew = anew(network, golden);
            Map<String, Tensor> plain = gradients(network, anew, golden, null);
            try (var checkpoints = new Checkpointing()) {
                network.segments(checkpoints);
                assertSame(plain, gradients(network, anew, golden, checkpoints));
            }
        }
    }

    /** What sampling has projected before is projected again where gradients are recorded. */
    @Test
    void whatWasBoundForSamplingCanBeTrained() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.unet("full");
                var network = made(FULL)) {
            Map<String, Tensor> plain = gradients(network, anew(network, golden), golden, null);
            Network bound = network.bind(condition(golden));
            assertSame(plain, gradients(network, bound, golden, null));
            try (var checkpoints = new Checkpointing()) {
                network.segments(checkpoints);
                assertSame(plain, gradients(network, bound, golden, checkpoints));
            }
        }
    }

    private static Network anew(Unet network, Golden golden) throws Exception {
        UnetCondition condition = full(golden);
        return (x, timesteps) -> network.forward(x, timesteps, condition);
    }

    private static void assertSame(Map<String, Tensor> expected, Map<String, Tensor> actual) {
        assertEquals(expected.keySet(), actual.keySet());
        expected.forEach((key, each) -> Golden.assertClose(key, each, actual.get(key), 1e-4));
    }

    private static Map<String, Tensor> gradients(
            Unet network, Network bound, Golden golden, Checkpointing checkpoints)
            throws Exception {
        network.train();
        try (var mode = Mode.GRAD.enter()) {
            Tensor loss =
                    bound.predict(golden.get("latents"), golden.get("timestep")).square().mean();
            if (checkpoints == null) {
                loss.backward();
            } else {
                checkpoints.backward(loss);
            }
        }
        var gradients = new TreeMap<String, Tensor>();
        network.parameters()
                .forEach(
                        (key, parameter) -> {
                            Tensor gradient = parameter.value().grad();
                            gradients.put(key, gradient.copy());
                            parameter.value().setGrad(null);
                        });
        network.eval();
        return gradients;
    }

    @Test
    void whatIsMissingIsNamed() throws Exception {
        try (var scope = TensorScope.open();
                var golden = Golden.unet("full");
                var network = made(FULL)) {
            Tensor latents = golden.get("latents");
            Tensor timestep = golden.get("timestep");
            Tensor text = golden.get("text");
            Tensor pooled = golden.get("pooled");
            Tensor sizes = golden.get("sizes");
            Tensor labels = golden.get("labels");
            Tensor guidance = golden.get("guidance");
            assertRefused(
                    "conditioned on the guidance",
                    () -> network.forward(latents, timestep, UnetCondition.of(text)));
            assertRefused(
                    "conditioned on labels",
                    () ->
                            network.forward(
                                    latents,
                                    timestep,
                                    new UnetCondition(text, pooled, sizes, null, guidance)));
            assertRefused(
                    "conditioned on a pooled text",
                    () ->
                            network.forward(
                                    latents,
                                    timestep,
                                    new UnetCondition(text, null, sizes, labels, guidance)));
            assertRefused(
                    "must be 30 numbers together",
                    () ->
                            network.forward(
                                    latents,
                                    timestep,
                                    new UnetCondition(
                                            text,
                                            pooled,
                                            sizes.narrow(1, 0, 5),
                                            labels,
                                            guidance)));
            assertRefused(
                    "must be [N,4,H,W]",
                    () ->
                            network.forward(
                                    Tensor.zeros(DType.FLOAT32, 2, 5, 4, 6),
                                    timestep,
                                    full(golden)));
            assertRefused(
                    "[N,L,6]",
                    () ->
                            network.forward(
                                    latents,
                                    timestep,
                                    UnetCondition.of(Tensor.zeros(DType.FLOAT32, 2, 5, 7))));
            Condition narrow =
                    condition(golden).with(Unet.TEXT, Tensor.zeros(DType.FLOAT32, 2, 5, 7));
            assertRefused("[N,L,6]", () -> network.bind(narrow));
        }
    }

    private interface Call {
        void run() throws Exception;
    }

    private static void assertRefused(String reason, Call call) {
        var refused = assertThrows(IllegalArgumentException.class, call::run);
        assertTrue(refused.getMessage().contains(reason), refused.getMessage());
    }

    @Test
    void tellsWhatItIsOf() {
        try (var network = Weights.random(1, DType.FLOAT32, Device.CPU, w -> new Unet(w, FULL))) {
            assertEquals(4, network.latentChannels());
            assertEquals(48, network.tokens(Shape.of(4, 6, 8)));
            assertTrue(network.takesGuidance());
            assertTrue(network.activations(2, Shape.of(4, 6, 8)) > 2 * 48 * 4);
        }
    }
}
