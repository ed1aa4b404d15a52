package dev.darkroom.runtime.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.InScope;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Segments of several results, and with inputs that may be absent. */
@ExtendWith(InScope.class)
class CheckpointingTest {
    private static final int WIDTH = 8;

    /** The tokens of a picture and of its text, which pass through the blocks side by side. */
    private record Streams(Tensor image, Tensor text) {}

    /**
     * A block whose streams attend to each other, as in SD3: its typed forward takes and returns
     * both. It is made of operators that give the same bits with gradients and without; {@link
     * Attention} takes a kernel that is fast for each.
     */
    private static final class Block extends Module {
        private final Linear image;
        private final Linear text;
        private final Linear gate;

        Block(Weights w) {
            super(w);
            image = new Linear(w.sub("image"), WIDTH, 3 * WIDTH, true);
            text = new Linear(w.sub("text"), WIDTH, 3 * WIDTH, true);
            gate = new Linear(w.sub("gate"), WIDTH, WIDTH, true);
        }

        Streams forward(Streams x, Tensor condition, @Nullable Tensor bias) {
            Tensor gates = gate.forward(condition).unsqueeze(1); // [N,1,D]
            Tensor projected = Ops.cat(1, image.forward(x.image), text.forward(x.text));
            List<Tensor> parts = projected.chunk(3, 2); // three [N,T+L,D]
            Tensor scores = parts.get(0).matmul(parts.get(1).transpose(1, 2));
            List<Tensor> attended =
                    (bias == null ? scores : scores.plus(bias))
                            .softmax(-1)
                            .matmul(parts.get(2))
                            .times(gates)
                            .split(1, x.image.size(1), x.text.size(1));
            return new Streams(x.image.plus(attended.get(0)), x.text.plus(attended.get(1)));
        }
    }

    private static final class Network extends Module {
        private final Linear embed;
        private final List<Block> blocks;

        Network(Weights w) {
            super(w);
            embed = new Linear(w.sub("embed"), WIDTH, WIDTH, true);
            blocks = w.list("blocks", 3, Block::new);
        }

        Tensor forward(Tensor image, Tensor text, @Nullable Tensor bias) {
            Tensor condition = segments().boundary(embed.forward(text.mean(false, 1))); // [N,D]
            var x = new Streams(image, text);
            for (Block block : blocks) {
                x = run(block, x, condition, bias);
            }
            return x.image; // the last block's text leads nowhere
        }

        private Streams run(Block block, Streams x, Tensor condition, @Nullable Tensor bias) {
            List<Tensor> streams =
                    segments()
                            .runAll(
                                    in -> {
                                        var given = new Streams(in.get(0), in.get(1));
                                        var out = block.forward(given, in.get(2), in.orNull(3));
                                        return List.of(out.image, out.text);
                                    },
                                    x.image,
                                    x.text,
                                    condition,
                                    bias);
            return new Streams(streams.get(0), streams.get(1));
        }
    }

    private static Tensor noise(long seed, long... shape) {
        try (var generator = new Generator(seed)) {
            return Tensor.randn(Shape.of(shape), generator, DType.FLOAT32, Device.CPU);
        }
    }

    /** Gradients of the parameters that have one, and of both inputs. */
    private static Map<String, float[]> gradients(
            Network network, @Nullable Tensor bias, @Nullable Checkpointing checkpoints) {
        Tensor image = noise(1, 2, 5, WIDTH).requiresGrad(true);
        Tensor text = noise(2, 2, 3, WIDTH).requiresGrad(true);
        network.segments(checkpoints == null ? Segments.RECORDED : checkpoints);
        Tensor loss = network.forward(image, text, bias).square().mean();
        if (checkpoints == null) {
            loss.backward();
        } else {
            checkpoints.backward(loss);
        }
        var gradients = new LinkedHashMap<String, float[]>();
        gradients.put("image", image.grad().toFloatArray());
        gradients.put("text", text.grad().toFloatArray());
        network.parameters()
                .forEach(
                        (name, each) -> {
                            Tensor gradient = each.value().grad();
                            if (gradient != null) {
                                gradients.put(name, gradient.toFloatArray());
                                each.value().setGrad(null);
                            }
                        });
        return gradients;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void twoStreamsHaveTheGradientsOfThePlainRun(boolean biased) {
        try (var network = Weights.random(3, DType.FLOAT32, Device.CPU, Network::new);
                var mode = Mode.GRAD.enter();
                var checkpoints = new Checkpointing()) {
            network.train();
            Tensor bias = biased ? noise(4, 1, 1, 8) : null;
            var plain = gradients(network, bias, null);
            var checkpointed = gradients(network, bias, checkpoints);
            assertTrue(plain.containsKey("blocks.0.text.weight"));
            assertEquals(plain.keySet(), checkpointed.keySet());
            plain.forEach((name, each) -> assertArrayEquals(each, checkpointed.get(name), name));
        }
    }

    /** Both results may be used, one, or none. */
    @Test
    void onlyTheResultsThatAreUsedArePassedOn() {
        try (var mode = Mode.GRAD.enter();
                var checkpoints = new Checkpointing()) {
            Tensor a = noise(5, 3).requiresGrad(true);
            Tensor b = noise(6, 3).requiresGrad(true);
            List<Tensor> first =
                    checkpoints.runAll(in -> List.of(in.get(0).times(2), in.get(1).times(3)), a, b);
            List<Tensor> unused =
                    checkpoints.runAll(in -> List.of(in.get(0), in.get(0)), first.get(0));
            assertEquals(2, unused.size());
            checkpoints.backward(first.get(1).sum());
            assertNull(a.grad());
            assertArrayEquals(new float[] {3, 3, 3}, b.grad().toFloatArray());
        }
    }

    @Test
    void anAbsentInputIsNamed() {
        for (Segments segments : List.of(Segments.RECORDED, new Checkpointing())) {
            Tensor x = noise(7, 3);
            var error =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> segments.run(in -> in.get(0).plus(in.get(1)), x, null));
            assertEquals("input 1 of the segment is absent", error.getMessage());
            assertNotNull(segments.run(in -> in.orNull(1) == null ? in.get(0) : x, x, null));
        }
    }
}
