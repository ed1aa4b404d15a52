package dev.darkroom.runtime.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.InScope;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Joint attention and norms of queries and keys against the formulas, in float64. */
@ExtendWith(InScope.class)
class JointAttentionTest {
    private static final Attention.Keys IMAGE =
            new Attention.Keys("q", "k", "v", "out", "norm_q", "norm_k");
    private static final Attention.Keys TEXT =
            new Attention.Keys("add_q", "add_k", "add_v", "add_out", "norm_add_q", "norm_add_k");
    private static final int HEADS = 2;
    private static final int HEAD_WIDTH = 4;
    private static final int IMAGE_WIDTH = 6;
    private static final int TEXT_WIDTH = 5;
    private static final double EPS = 1e-6;

    private Generator generator;

    /** Norms of queries and keys, as layers and as formulas. */
    private enum Norm {
        NONE(null, 1e-12) {
            @Override
            double[] of(double[] head, double[] weight, double[] bias) {
                return head;
            }
        },
        /** The layer takes the mean square in float32. */
        RMS((w, width) -> new RmsNorm(w, width, EPS)::forward, 2e-6) {
            @Override
            double[] of(double[] head, double[] weight, double[] bias) {
                double sum = 0;
                for (double x : head) {
                    sum += x * x;
                }
                return scaled(head, 0, 1 / Math.sqrt(sum / head.length + EPS), weight, bias);
            }
        },
        LAYER((w, width) -> new LayerNorm(w, width, EPS, true)::forward, 1e-12) {
            @Override
            double[] of(double[] head, double[] weight, double[] bias) {
                double mean = 0;
                for (double x : head) {
                    mean += x / head.length;
                }
                double variance = 0;
                for (double x : head) {
                    variance += (x - mean) * (x - mean) / head.length;
                }
                return scaled(head, mean, 1 / Math.sqrt(variance + EPS), weight, bias);
            }
        };

        final Attention.HeadNorm layer;
        final double tolerance;

        Norm(Attention.HeadNorm layer, double tolerance) {
            this.layer = layer;
            this.tolerance = tolerance;
        }

        abstract double[] of(double[] head, double[] weight, double[] bias);

        private static double[] scaled(
                double[] head, double mean, double factor, double[] weight, double[] bias) {
            var normed = new double[head.length];
            for (int i = 0; i < head.length; i++) {
                normed[i] = (head[i] - mean) * factor * weight[i] + (bias == null ? 0 : bias[i]);
            }
            return normed;
        }
    }

    /** The attention of two streams: both have their parts in one place of the checkpoint. */
    private static final class Joint extends Module {
        private final Attention image;
        private final Attention text;

        Joint(Weights w, Norm norm, Attention.Keys textKeys) {
            super(w);
            var imageSizes = sizes(IMAGE_WIDTH);
            image = new Attention(w.sub("attn"), imageSizes, IMAGE, norm.layer);
            text = new Attention(w.sub("attn"), sizes(TEXT_WIDTH), textKeys, norm.layer);
        }

        private static Attention.Sizes sizes(long width) {
            return new Attention.Sizes(width, width, HEADS, HEAD_WIDTH, true);
        }
    }

    @BeforeEach
    void open() {
        generator = new Generator(5);
    }

    @AfterEach
    void close() {
        generator.close();
    }

    private Tensor noise(long... shape) {
        return Tensor.randn(Shape.of(shape), generator, DType.FLOAT64, Device.CPU);
    }

    private Joint joint(Norm norm, Attention.Keys textKeys) {
        var joint = Weights.random(1, DType.FLOAT64, Device.CPU, w -> new Joint(w, norm, textKeys));
        joint.parameters()
                .values()
                .forEach(each -> each.value().copyInPlace(noise(each.shape().toArray())));
        return joint;
    }

    /** Rotates the pairs of neighbours in each head by angles that grow with the token's index. */
    private static Tensor rotated(Tensor x) { // [N,T,heads,d]
        long tokens = x.size(1);
        Tensor pairs = x.reshape(x.size(0), tokens, x.size(2), HEAD_WIDTH / 2, 2);
        Tensor even = pairs.narrow(-1, 0, 1);
        Tensor odd = pairs.narrow(-1, 1, 1);
        Tensor angle = Tensor.arange(0, tokens, 1, DType.FLOAT64, Device.CPU);
        angle = angle.times(0.7).reshape(tokens, 1, 1, 1);
        Tensor cos = angle.cos();
        Tensor sin = angle.sin();
        Tensor first = even.times(cos).minus(odd.times(sin));
        Tensor second = even.times(sin).plus(odd.times(cos));
        return Ops.cat(-1, first, second).reshape(x.shape().toArray());
    }

    // ---- The formulas ----

    /** One stream of one sample, and the parameters of its side. */
    private record Stream(
            double[][] x, Function<String, double[]> values, Attention.Keys keys, Norm norm) {
        double[][] linear(double[][] in, String name) {
            double[] weight = values.apply(name + ".weight");
            double[] bias = values.apply(name + ".bias");
            var out = new double[in.length][bias.length];
            for (int t = 0; t < in.length; t++) {
                for (int o = 0; o < bias.length; o++) {
                    out[t][o] = bias[o];
                    for (int i = 0; i < in[t].length; i++) {
                        out[t][o] += weight[o * in[t].length + i] * in[t][i];
                    }
                }
            }
            return out;
        }

        /** Queries or keys of a head, normalised, with their positions. */
        double[][] head(int head, String name, String normName, boolean positions) {
            double[][] all = slice(linear(x, name), head);
            for (int t = 0; t < all.length; t++) {
                double[] bias = norm == Norm.LAYER ? values.apply(normName + ".bias") : null;
                double[] weight = norm == Norm.NONE ? null : values.apply(normName + ".weight");
                all[t] = norm.of(all[t], weight, bias);
                if (positions) {
                    double cos = Math.cos(0.7 * t);
                    double sin = Math.sin(0.7 * t);
                    for (int i = 0; i < HEAD_WIDTH; i += 2) {
                        double even = all[t][i];
                        double odd = all[t][i + 1];
                        all[t][i] = even * cos - odd * sin;
                        all[t][i + 1] = even * sin + odd * cos;
                    }
                }
            }
            return all;
        }

        static double[][] slice(double[][] x, int head) {
            var part = new double[x.length][HEAD_WIDTH];
            for (int t = 0; t < x.length; t++) {
                System.arraycopy(x[t], head * HEAD_WIDTH, part[t], 0, HEAD_WIDTH);
            }
            return part;
        }
    }

    /** What the tokens of each stream attend to: {@code [stream][token][heads·d]}. */
    private static double[][][] attended(List<Stream> streams, boolean positions) {
        var out = new double[streams.size()][][];
        for (int s = 0; s < out.length; s++) {
            Stream asking = streams.get(s);
            out[s] = new double[asking.x.length][HEADS * HEAD_WIDTH];
            for (int h = 0; h < HEADS; h++) {
                double[][] q = asking.head(h, asking.keys.q(), asking.keys.normQ(), positions);
                for (int t = 0; t < q.length; t++) {
                    double total = 0;
                    for (Stream asked : streams) {
                        double[][] k = asked.head(h, asked.keys.k(), asked.keys.normK(), positions);
                        double[][] v = Stream.slice(asked.linear(asked.x, asked.keys.v()), h);
                        for (int l = 0; l < k.length; l++) {
                            double score = 0;
                            for (int i = 0; i < HEAD_WIDTH; i++) {
                                score += q[t][i] * k[l][i];
                            }
                            double weight = Math.exp(score / Math.sqrt(HEAD_WIDTH));
                            total += weight;
                            for (int i = 0; i < HEAD_WIDTH; i++) {
                                out[s][t][h * HEAD_WIDTH + i] += weight * v[l][i];
                            }
                        }
                    }
                    for (int i = 0; i < HEAD_WIDTH; i++) {
                        out[s][t][h * HEAD_WIDTH + i] /= total;
                    }
                }
            }
        }
        return out;
    }

    private static double[][] rows(Tensor x, int sample) { // [N,T,D]
        int tokens = (int) x.size(1);
        int width = (int) x.size(2);
        double[] all = x.toDoubleArray();
        var rows = new double[tokens][width];
        for (int t = 0; t < tokens; t++) {
            System.arraycopy(all, (sample * tokens + t) * width, rows[t], 0, width);
        }
        return rows;
    }

    private static Stream stream(
            Joint joint, Tensor x, int sample, Attention.Keys keys, Norm norm) {
        var parameters = joint.parameters();
        return new Stream(
                rows(x, sample),
                name -> parameters.get("attn." + name).value().toDoubleArray(),
                keys,
                norm);
    }

    private static void assertRows(double[][] expected, Tensor actual, int sample, double within) {
        double[][] rows = rows(actual, sample);
        assertEquals(expected.length, rows.length);
        for (int t = 0; t < rows.length; t++) {
            assertArrayEquals(expected[t], rows[t], within);
        }
    }

    // ---- Tests ----

    @ParameterizedTest
    @EnumSource
    void twoStreamsAttendToEachOther(Norm norm) {
        try (var joint = joint(norm, TEXT)) {
            Tensor image = noise(2, 4, IMAGE_WIDTH);
            Tensor text = noise(2, 3, TEXT_WIDTH);
            List<Tensor> imageFirst =
                    Attention.joint(joint.image.project(image), joint.text.project(text));
            List<Tensor> textFirst =
                    Attention.joint(joint.text.project(text), joint.image.project(image));
            assertEquals(Shape.of(2, 4, HEADS * HEAD_WIDTH), imageFirst.get(0).shape());
            for (int n = 0; n < 2; n++) {
                var streams =
                        List.of(
                                stream(joint, image, n, IMAGE, norm),
                                stream(joint, text, n, TEXT, norm));
                double[][][] expected = attended(streams, false);
                assertRows(expected[0], imageFirst.get(0), n, norm.tolerance);
                assertRows(expected[1], imageFirst.get(1), n, norm.tolerance);
                assertRows(expected[1], textFirst.get(0), n, norm.tolerance);
                assertRows(expected[0], textFirst.get(1), n, norm.tolerance);
                double[][] out = streams.get(1).linear(expected[1], "add_out");
                assertRows(out, joint.text.output(imageFirst.get(1)), n, 20 * norm.tolerance);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void positionsAreEncodedAfterTheNorm(Norm norm) {
        try (var joint = joint(norm, TEXT)) {
            Tensor image = noise(1, 4, IMAGE_WIDTH);
            Tensor text = noise(1, 3, TEXT_WIDTH);
            List<Tensor> actual =
                    Attention.joint(
                            joint.text.project(text, JointAttentionTest::rotated),
                            joint.image.project(image, JointAttentionTest::rotated));
            var streams =
                    List.of(
                            stream(joint, text, 0, TEXT, norm),
                            stream(joint, image, 0, IMAGE, norm));
            double[][][] expected = attended(streams, true);
            assertRows(expected[0], actual.get(0), 0, norm.tolerance);
            assertRows(expected[1], actual.get(1), 0, norm.tolerance);
        }
    }

    /** One stream: its parts, and the layer as a whole. */
    @ParameterizedTest
    @EnumSource
    void oneStreamAttendsToItself(Norm norm) {
        try (var joint = joint(norm, TEXT)) {
            Tensor image = noise(1, 4, IMAGE_WIDTH);
            Stream stream = stream(joint, image, 0, IMAGE, norm);
            double[][] expected = attended(List.of(stream), false)[0];
            Tensor attended = Attention.joint(joint.image.project(image)).getFirst();
            assertRows(expected, attended, 0, norm.tolerance);
            double[][] out = stream.linear(expected, "out");
            assertRows(out, joint.image.output(attended), 0, 20 * norm.tolerance);
            assertRows(out, joint.image.forward(image), 0, 20 * norm.tolerance);
        }
    }

    /** As in the last block of SD3 for the text, and in FLUX's blocks of one stream. */
    @Test
    void theResultMayStayUnprojected() {
        try (var joint = joint(Norm.RMS, TEXT.withoutOutput())) {
            Tensor text = noise(1, 3, TEXT_WIDTH);
            Tensor attended = Attention.joint(joint.text.project(text)).getFirst();
            Tensor whole = joint.text.forward(text);
            assertEquals(Shape.of(1, 3, HEADS * HEAD_WIDTH), whole.shape());
            assertArrayEquals(attended.toDoubleArray(), whole.toDoubleArray(), 1e-12);
            assertEquals(
                    Set.of(
                            "attn.add_q.weight",
                            "attn.add_q.bias",
                            "attn.add_k.weight",
                            "attn.add_k.bias",
                            "attn.add_v.weight",
                            "attn.add_v.bias",
                            "attn.norm_add_q.weight",
                            "attn.norm_add_k.weight"),
                    joint.text.parameters().keySet().stream()
                            .map(name -> "attn." + name)
                            .collect(Collectors.toSet()));
        }
    }
}
