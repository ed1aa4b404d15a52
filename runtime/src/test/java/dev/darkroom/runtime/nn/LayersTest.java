package dev.darkroom.runtime.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
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
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.WeightSource;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Function;

/** Layers against PyTorch 2.13's functions of the same inputs, in float32 on the CPU. */
@ExtendWith(InScope.class)
class LayersTest {

    /** The numbers that inputs and weights are made of: {@code (7 i mod 11) / 4 − 1}. */
    private static Tensor ramp(long... shape) {
        int size = (int) Shape.of(shape).elements();
        var values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = i * 7 % 11 / 4f - 1;
        }
        return Tensor.copyOf(values, shape);
    }

    private static <M extends Module> void with(
            Map<String, Tensor> weights, Function<Weights, M> make, Consumer<M> test)
            throws IOException {
        var source = WeightSource.of("weights", weights);
        try (M module = Weights.load(source, null, Device.CPU, make)) {
            test.accept(module);
        }
    }

    private static void assertClose(Tensor actual, Shape shape, double... expected) {
        assertEquals(shape, actual.shape());
        assertArrayEquals(expected, actual.toDoubleArray(), 2e-6);
    }

    @Test
    void linearIsTheSameWithGradientsAndWithout() {
        try (var scope = TensorScope.open();
                var generator = new Generator(1)) {
            Tensor x = Tensor.randn(Shape.of(33, 64, 70), generator, DType.FLOAT32, Device.CPU);
            Tensor weight = Tensor.randn(Shape.of(150, 70), generator, DType.FLOAT32, Device.CPU);
            Tensor bias = Tensor.randn(Shape.of(150), generator, DType.FLOAT32, Device.CPU);
            for (Tensor input :
                    List.of(x, x.transpose(0, 1), x.narrow(0, 3, 7), x.narrow(0, 0, 0))) {
                Tensor plain = Ops.linear(input, weight, bias);
                Tensor unbiased = Ops.linear(input, weight, null);
                try (var mode = Mode.GRAD.enter()) {
                    float[] expected = Ops.linear(input, weight, bias).toFloatArray();
                    assertArrayEquals(expected, plain.toFloatArray(), 1e-4f);
                    expected = Ops.linear(input, weight, null).toFloatArray();
                    assertArrayEquals(expected, unbiased.toFloatArray(), 1e-4f);
                }
            }
        }
    }

    @Test
    void linearMultipliesAndAdds() throws IOException {
        var weight = Tensor.copyOf(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
        var x = Tensor.copyOf(new float[] {1, 0, -1}, 1, 1, 3);
        with(
                Map.of("weight", weight, "bias", Tensor.copyOf(new float[] {10, 20}, 2)),
                w -> new Linear(w, 3, 2, true),
                linear -> assertClose(linear.forward(x), Shape.of(1, 1, 2), 8, 18));
        with(
                Map.of("weight", weight),
                w -> new Linear(w, 3, 2, false),
                linear -> assertClose(linear.forward(x), Shape.of(1, 1, 2), -2, -2));
    }

    /** Adds a number to each output, times a scale that the test changes. */
    private static final class Constant implements Linear.Adapter {
        private final float number;
        private double scale = 1;

        Constant(float number) {
            this.number = number;
        }

        @Override
        public double scale() {
            return scale;
        }

        @Override
        public Tensor forward(Tensor x) {
            if (scale == 0) {
                throw new AssertionError("an adapter that is off is not asked");
            }
            return Tensor.copyOf(new float[] {number, number}, 1, 2);
        }
    }

    @Test
    void adaptersOfALinearLayerAddUp() throws IOException {
        var weight = Tensor.copyOf(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
        var x = Tensor.copyOf(new float[] {1, 0, -1}, 1, 3);
        with(
                Map.of("weight", weight.to(DType.BFLOAT16)),
                w -> new Linear(w, 3, 2, false),
                linear -> {
                    var half = x.to(DType.BFLOAT16);
                    var one = new Constant(1);
                    var ten = new Constant(10);
                    linear.attach(one);
                    linear.attach(ten);
                    assertEquals(DType.BFLOAT16, linear.forward(half).dtype());
                    assertClose(linear.forward(half), Shape.of(1, 2), 9, 9);
                    one.scale = -2;
                    ten.scale = 0;
                    assertClose(linear.forward(half), Shape.of(1, 2), -4, -4);
                    ten.scale = 0.5;
                    linear.detach(one);
                    linear.detach(one);
                    assertClose(linear.forward(half), Shape.of(1, 2), 3, 3);
                    linear.detach(ten);
                    assertClose(linear.forward(half), Shape.of(1, 2), -2, -2);
                });
    }

    @Test
    void conv2dStridesAndPads() throws IOException {
        with(
                Map.of("weight", ramp(1, 2, 3, 3), "bias", ramp(1)),
                w -> new Conv2d(w, 2, 1, 3, 2, 1, true),
                conv ->
                        assertClose(
                                conv.forward(ramp(1, 2, 3, 3)),
                                Shape.of(1, 1, 2, 2),
                                -2.8125,
                                -0.125,
                                -0.125,
                                -2.8125));
    }

    @Test
    void embeddingLooksRowsUp() throws IOException {
        with(
                Map.of("weight", Tensor.copyOf(new float[] {1, 2, 3, 4, 5, 6}, 3, 2)),
                w -> new Embedding(w, 3, 2),
                embedding ->
                        assertClose(
                                embedding.forward(Tensor.copyOf(new long[] {2, 0}, 1, 2)),
                                Shape.of(1, 2, 2),
                                5,
                                6,
                                1,
                                2));
    }

    @Test
    void layerNormScalesAndShifts() throws IOException {
        with(
                Map.of("weight", ramp(4), "bias", ramp(4).plus(0.5)),
                w -> new LayerNorm(w, 4, 1e-5, true),
                norm ->
                        assertClose(
                                norm.forward(ramp(2, 4)),
                                Shape.of(2, 4),
                                0.81305707,
                                1.6439171,
                                0.38130569,
                                3.9695857,
                                -0.69999743,
                                0.20001352,
                                -0.099995494,
                                1.7000039));
        with(
                Map.of(),
                w -> new LayerNorm(w, 2, 0, false),
                norm ->
                        assertClose(
                                norm.forward(Tensor.copyOf(new float[] {3, 7}, 2)),
                                Shape.of(2),
                                -1,
                                1));
    }

    @Test
    void groupNormNormalisesGroupsOfChannels() throws IOException {
        with(
                Map.of("weight", ramp(4), "bias", ramp(4).plus(0.5)),
                w -> new GroupNorm(w, 2, 4, 1e-6),
                norm ->
                        assertClose(
                                norm.forward(ramp(1, 4, 2, 3)).flatten(0, 3).narrow(0, 9, 6),
                                Shape.of(6),
                                2.0199535,
                                1.1185446,
                                0.21713567,
                                0.10107929,
                                0.42599723,
                                -0.14260916));
        assertThrows(
                IllegalArgumentException.class,
                () -> with(Map.of(), w -> new GroupNorm(w, 3, 4, 1e-6), norm -> {}));
    }

    @Test
    void rmsNormIsTakenInFloat32() throws IOException {
        with(
                Map.of("weight", ramp(4)),
                w -> new RmsNorm(w, 4, 1e-6),
                norm ->
                        assertClose(
                                norm.forward(ramp(2, 4)),
                                Shape.of(2, 4),
                                1.0160005,
                                0.5715003,
                                0.063500032,
                                2.2860012,
                                -0.68599367,
                                -0.51449525,
                                -0.42874604,
                                0.51449525));
        with(
                Map.of("weight", ramp(4).to(DType.BFLOAT16)),
                w -> new RmsNorm(w, 4, 1e-6),
                norm -> {
                    Tensor out = norm.forward(ramp(2, 4).to(DType.BFLOAT16));
                    assertEquals(DType.BFLOAT16, out.dtype());
                    assertClose(
                            out,
                            Shape.of(2, 4),
                            1.015625,
                            0.5703125,
                            0.063476562,
                            2.28125,
                            -0.6875,
                            -0.515625,
                            -0.4296875,
                            0.515625);
                });
    }

    @Test
    void attentionLooksAtAContext() throws IOException {
        var keys = new Attention.Keys("to_q", "to_k", "to_v", "to_out.0", "norm_q", "norm_k");
        var weights =
                Map.of(
                        "to_q.weight", ramp(4, 4),
                        "to_k.weight", ramp(4, 3),
                        "to_v.weight", ramp(4, 3).plus(0.25),
                        "to_out.0.weight", ramp(4, 4),
                        "to_out.0.bias", ramp(4));
        with(
                weights,
                w -> new Attention(w, new Attention.Sizes(4, 3, 2, 2, false), keys),
                attention -> {
                    var x = ramp(1, 2, 4);
                    var context = ramp(1, 3, 3);
                    assertClose(
                            attention.forward(x, context, null),
                            Shape.of(1, 2, 4),
                            -2.863096,
                            2.6959496,
                            -2.8898215,
                            3.7448668,
                            4.4418168,
                            2.4804649,
                            1.0308642,
                            4.9308434);
                    var mask = Tensor.copyOf(new boolean[] {true, false, true}, 1, 1, 1, 3);
                    assertClose(
                            attention.forward(x, context, mask),
                            Shape.of(1, 2, 4),
                            -3.4646115,
                            1.8438935,
                            -2.3925765,
                            2.6227465,
                            3.9847159,
                            2.2398987,
                            0.88159037,
                            4.4679136);
                });
    }

    @Test
    void headsMustDivideTheWidth() {
        var x = ramp(1, 2, 4);
        var error =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> Attention.multiHead(x, x, x, 3, null, null));
        assertTrue(error.getMessage().contains("[1, 2, 4] does not divide into 3 heads"));
    }

    /** Of −3, −1, −0.25, 0, 0.5 and 2. */
    @ParameterizedTest
    @CsvSource({
        "silu, -0.14227761, -0.26894143, -0.10945588, 0, 0.31122968, 1.7615941",
        "gelu, -0.004050225, -0.15865526, -0.10032342, 0, 0.34573123, 1.9544997",
        "gelu_new, -0.0036374331, -0.15880799, -0.10032465, 0, 0.345714, 1.9545977",
        "gelu-approximate, -0.0036374331, -0.15880799, -0.10032465, 0, 0.345714, 1.9545977",
        "quick_gelu, -0.018071311, -0.15420423, -0.098800346, 0, 0.35038844, 1.9356586",
        "mish, -0.14564747, -0.30340144, -0.12992696, 0, 0.37524524, 1.943959",
        "relu, 0, 0, 0, 0, 0.5, 2"
    })
    void activationsAreNamedAsInConfigs(
            String name, double a, double b, double c, double d, double e, double f) {
        var x = Tensor.copyOf(new float[] {-3, -1, -0.25f, 0, 0.5f, 2}, 6);
        assertClose(Activation.parse(name).apply(x), Shape.of(6), a, b, c, d, e, f);
    }

    @Test
    void anUnknownActivationNamesTheKnownOnes() {
        var error = assertThrows(IllegalArgumentException.class, () -> Activation.parse("snake"));
        assertEquals(
                "no activation \"snake\"; there are silu, swish, gelu, gelu-approximate, gelu_new,"
                        + " gelu_pytorch_tanh, quick_gelu, relu, mish",
                error.getMessage());
    }
}
