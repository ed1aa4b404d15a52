package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * The gradient of every operator of {@link Tensor} and {@link Ops} against central differences, in
 * double. A new operator needs a line in {@link #CASES}, or a reason in {@link #WITHOUT}.
 */
class OperatorGradientsTest {
    private static final double STEP = 1e-5;
    private static final double BOUND = 1e-7;

    /** Operators that pass no gradient on, or none that differences could show. */
    private static final Set<String> WITHOUT =
            Set.of(
                    // About gradients.
                    "Tensor.requiresGrad[boolean]",
                    "Tensor.grad[]",
                    "Tensor.detach[]",
                    // Truth values and positions.
                    "Tensor.isFinite[]",
                    "Tensor.not[]",
                    "Tensor.eq[Tensor]",
                    "Tensor.eq[double]",
                    "Tensor.lt[Tensor]",
                    "Tensor.lt[double]",
                    "Tensor.gt[Tensor]",
                    "Tensor.gt[double]",
                    "Tensor.le[double]",
                    "Tensor.ge[double]",
                    "Tensor.argmax[int]",
                    "Tensor.all[]",
                    "Tensor.any[]",
                    // Other bits.
                    "Tensor.viewAs[DType]",
                    // Random.
                    "Ops.dropout[Tensor, double]");

    /** An operator with inputs, far from where it has no derivative. */
    private record Case(Function<List<Tensor>, Tensor> operator, List<Tensor> inputs) {}

    private static final Map<String, Function<Sources, Case>> CASES = new TreeMap<>();

    private static void on(
            String name,
            Function<List<Tensor>, Tensor> operator,
            Function<Sources, List<Tensor>> inputs) {
        CASES.put(name, sources -> new Case(operator, inputs.apply(sources)));
    }

    private static void unary(String name, Function<Tensor, Tensor> operator) {
        on("Tensor." + name, in -> operator.apply(in.getFirst()), s -> List.of(s.any(2, 3, 4)));
    }

    private static void positive(String name, Function<Tensor, Tensor> operator) {
        on("Tensor." + name, in -> operator.apply(in.getFirst()), s -> List.of(s.positive(2, 3)));
    }

    private static void binary(
            String name, java.util.function.BinaryOperator<Tensor> operator, long... second) {
        on(
                "Tensor." + name,
                in -> operator.apply(in.get(0), in.get(1)),
                s -> List.of(s.any(2, 3), s.positive(second)));
    }

    /** A result of its own, which may be changed in place. */
    private static Tensor own(Tensor x) {
        return x.times(1);
    }

    private static Tensor ids(long... values) {
        return Tensor.copyOf(values, values.length);
    }

    private static Tensor mask() {
        return Tensor.copyOf(new boolean[] {true, false, true, true, false, false}, 2, 3);
    }

    private static Tensor joined(List<Tensor> parts) {
        return Ops.cat(0, parts.stream().map(part -> part.reshape(-1)).toList());
    }

    static {
        binary("plus[Tensor]", Tensor::plus, 3);
        binary("plus[Tensor, double]", (a, b) -> a.plus(b, 0.3), 2, 3);
        unary("plus[double]", x -> x.plus(2));
        binary("minus[Tensor]", Tensor::minus, 1, 3);
        unary("minus[double]", x -> x.minus(2));
        unary("subtractedFrom[double]", x -> x.subtractedFrom(2));
        binary("times[Tensor]", Tensor::times, 2, 1);
        unary("times[double]", x -> x.times(-2));
        binary("dividedBy[Tensor]", Tensor::dividedBy, 3);
        unary("dividedBy[double]", x -> x.dividedBy(3));
        positive("pow[double]", x -> x.pow(2.5));
        on(
                "Tensor.plusProduct[Tensor, Tensor, double]",
                in -> in.get(0).plusProduct(in.get(1), in.get(2), 0.7),
                s -> List.of(s.any(2, 3), s.any(2, 3), s.any(3)));
        binary("lerp[Tensor, double]", (a, b) -> a.lerp(b, 0.3), 2, 3);
        binary("minimum[Tensor]", Tensor::minimum, 2, 3);
        binary("maximum[Tensor]", Tensor::maximum, 2, 3);
        binary("plusInPlace[Tensor, double]", (a, b) -> own(a).plusInPlace(b, 0.3), 3);
        binary("plusInPlace[Tensor]", (a, b) -> own(a).plusInPlace(b), 3);
        binary("minusInPlace[Tensor]", (a, b) -> own(a).minusInPlace(b), 3);
        binary("timesInPlace[Tensor]", (a, b) -> own(a).timesInPlace(b), 3);
        unary("timesInPlace[double]", x -> own(x).timesInPlace(3));
        binary("dividedByInPlace[Tensor]", (a, b) -> own(a).dividedByInPlace(b), 3);
        binary("lerpInPlace[Tensor, double]", (a, b) -> own(a).lerpInPlace(b, 0.3), 2, 3);
        unary("fillInPlace[double]", x -> x.plus(own(x).fillInPlace(3)));
        binary("copyInPlace[Tensor]", (a, b) -> own(a).copyInPlace(b), 3);
        unary("negated[]", Tensor::negated);
        unary("abs[]", Tensor::abs);
        unary("sign[]", x -> x.times(x.sign()));
        unary("exp[]", Tensor::exp);
        positive("log[]", Tensor::log);
        positive("sqrt[]", Tensor::sqrt);
        positive("rsqrt[]", Tensor::rsqrt);
        unary("reciprocal[]", Tensor::reciprocal);
        unary("square[]", Tensor::square);
        unary("sin[]", Tensor::sin);
        unary("cos[]", Tensor::cos);
        unary("tanh[]", Tensor::tanh);
        unary("erf[]", Tensor::erf);
        unary("floor[]", x -> x.times(x.floor()));
        unary("round[]", x -> x.times(x.round()));
        unary("sigmoid[]", Tensor::sigmoid);
        unary("silu[]", Tensor::silu);
        unary("relu[]", Tensor::relu);
        unary("gelu[]", Tensor::gelu);
        unary("geluTanh[]", Tensor::geluTanh);
        unary("clamp[double, double]", x -> x.clamp(-0.5, 0.5));
        binary("where[Tensor, Tensor]", (a, b) -> mask().where(a, b), 2, 3);
        on(
                "Tensor.maskedFill[Tensor, double]",
                in -> in.getFirst().maskedFill(mask(), 3),
                s -> List.of(s.any(2, 3)));
        unary("sum[]", Tensor::sum);
        unary("sum[boolean, int[]]", x -> x.sum(true, 0, 2));
        unary("mean[]", Tensor::mean);
        unary("mean[boolean, int[]]", x -> x.mean(false, 1));
        unary("variance[long, boolean, int[]]", x -> x.variance(1, true, 1, 2));
        unary("max[]", Tensor::max);
        unary("max[boolean, int[]]", x -> x.max(false, 1));
        unary("min[]", Tensor::min);
        unary("min[boolean, int[]]", x -> x.min(true, 2));
        unary("cumsum[int]", x -> x.cumsum(1));
        unary("cumprod[int]", x -> x.cumprod(1));
        unary("norm[boolean, int[]]", x -> x.norm(false, 1));
        unary("logSumExp[boolean, int[]]", x -> x.logSumExp(true, 2));
        unary("softmax[int]", x -> x.softmax(1));
        unary("logSoftmax[int]", x -> x.logSoftmax(-1));
        unary("sort[int, boolean]", x -> x.sort(1, true).getFirst());
        unary("alias[]", x -> own(x).alias());
        unary("reshape[long[]]", x -> x.reshape(6, -1));
        unary("permute[int[]]", x -> x.permute(2, 0, 1));
        unary("transpose[int, int]", x -> x.transpose(0, 2));
        unary("unsqueeze[int]", x -> x.unsqueeze(1));
        unary("squeeze[int]", x -> x.narrow(0, 1, 1).squeeze(0));
        unary("flatten[int, int]", x -> x.flatten(1, 2));
        unary("expand[long[]]", x -> x.expand(3, 2, 3, 4));
        unary("contiguous[]", x -> x.transpose(0, 1).contiguous());
        unary("copy[]", Tensor::copy);
        unary("chunk[long, int]", x -> joined(x.chunk(2, 1)));
        unary("split[int, long[]]", x -> joined(x.split(2, 1, 3)));
        unary("unbind[int]", x -> joined(x.unbind(1)));
        unary("narrow[int, long, long]", x -> x.narrow(1, 1, 2));
        unary("select[int, long]", x -> x.select(1, 2));
        unary("indexSelect[int, Tensor]", x -> x.indexSelect(1, ids(2, 0, 2)));
        unary(
                "gather[int, Tensor]",
                x -> x.gather(0, Tensor.copyOf(new long[] {1, 0, 1, 1}, 1, 1, 4)));
        unary("repeat[long[]]", x -> x.repeat(2, 1, 2));
        unary("repeatInterleave[long, int]", x -> x.repeatInterleave(2, 1));
        unary("flip[int[]]", x -> x.flip(0, 2));
        unary("lowerTriangle[long]", x -> x.lowerTriangle(0));
        unary("upperTriangle[long]", x -> x.upperTriangle(1));
        unary("to[DType]", x -> own(x).to(DType.FLOAT64));
        unary("to[Device]", x -> own(x).to(Device.CPU));
        binary("matmul[Tensor]", Tensor::matmul, 3, 4);
        on(
                "Tensor.bmm[Tensor]",
                in -> in.get(0).bmm(in.get(1)),
                s -> List.of(s.any(2, 3, 4), s.any(2, 4, 2)));
        on("Ops.cat[int, List]", in -> Ops.cat(1, in), s -> List.of(s.any(2, 3), s.any(2, 1)));
        on(
                "Ops.cat[int, Tensor[]]",
                in -> Ops.cat(0, in.get(0), in.get(1)),
                s -> List.of(s.any(2, 3), s.any(1, 3)));
        on("Ops.stack[int, List]", in -> Ops.stack(1, in), s -> List.of(s.any(2, 3), s.any(2, 3)));
        on(
                "Ops.linear[Tensor, Tensor, Tensor]",
                in -> Ops.linear(in.get(0), in.get(1), in.get(2)),
                s -> List.of(s.any(2, 2, 3), s.any(4, 3), s.any(4)));
        on(
                "Ops.addProduct[Tensor, Tensor, Tensor, double, double]",
                in -> Ops.addProduct(in.get(0), in.get(1), in.get(2), 0.5, 2),
                s -> List.of(s.any(2, 4), s.any(2, 3), s.any(3, 4)));
        on(
                "Ops.conv2d[Tensor, Tensor, Tensor, long, long, long]",
                in -> Ops.conv2d(in.get(0), in.get(1), in.get(2), 2, 1, 2),
                s -> List.of(s.any(2, 4, 5, 4), s.any(2, 2, 3, 3), s.any(2)));
        on(
                "Ops.embedding[Tensor, Tensor]",
                in -> Ops.embedding(in.getFirst(), ids(1, 3, 1)),
                s -> List.of(s.any(4, 3)));
        on(
                "Ops.layerNorm[Tensor, Tensor, Tensor, double]",
                in -> Ops.layerNorm(in.get(0), in.get(1), in.get(2), 1e-5),
                s -> List.of(s.any(2, 3, 4), s.any(4), s.any(4)));
        on(
                "Ops.groupNorm[Tensor, long, Tensor, Tensor, double]",
                in -> Ops.groupNorm(in.get(0), 2, in.get(1), in.get(2), 1e-5),
                s -> List.of(s.any(2, 4, 3, 2), s.any(4), s.any(4)));
        on(
                "Ops.attention[Tensor, Tensor, Tensor, Tensor, Double]",
                in -> Ops.attention(in.get(0), in.get(1), in.get(2), null, 0.4),
                s -> List.of(s.any(2, 2, 3, 4), s.any(2, 2, 5, 4), s.any(2, 2, 5, 4)));
        on(
                "Ops.pad[Tensor, double, long[]]",
                in -> Ops.pad(in.getFirst(), 2, 1, 2, -1, 1),
                s -> List.of(s.any(2, 3, 4)));
        on(
                "Ops.resizeNearest[Tensor, long, long]",
                in -> Ops.resizeNearest(in.getFirst(), 5, 6),
                s -> List.of(s.any(1, 2, 3, 3)));
        on(
                "Ops.resizeBilinear[Tensor, long, long]",
                in -> Ops.resizeBilinear(in.getFirst(), 5, 2),
                s -> List.of(s.any(1, 2, 3, 3)));
        on(
                "Ops.averagePool[Tensor, long]",
                in -> Ops.averagePool(in.getFirst(), 2),
                s -> List.of(s.any(1, 2, 4, 4)));
        on(
                "Ops.meanSquaredError[Tensor, Tensor]",
                in -> Ops.meanSquaredError(in.get(0), in.get(1)),
                s -> List.of(s.any(2, 3), s.any(2, 3)));
    }

    /** Numbers that are all different, at least 0.1 from 0 and not near a whole or a half. */
    private static final class Sources {
        private int made;

        private double next() {
            made++;
            double unit = made * 0.618033988749895 % 1; // spread evenly, never twice
            double size = 0.12 + 0.35 * unit + (made % 3);
            return made % 2 == 0 ? size : -size;
        }

        Tensor any(long... shape) {
            var values = new double[(int) Shape.of(shape).elements()];
            Arrays.setAll(values, i -> next());
            return Tensor.copyOf(values, shape);
        }

        Tensor positive(long... shape) {
            return any(shape).abs();
        }
    }

    private static Stream<String> operators() {
        return Stream.of(Tensor.class, Ops.class)
                .flatMap(PublicMethods::of)
                .filter(OperatorGradientsTest::makesTensorsOfTensors)
                .map(PublicMethods::name);
    }

    private static boolean makesTensorsOfTensors(Method method) {
        boolean makes =
                method.getReturnType() == Tensor.class || method.getReturnType() == List.class;
        boolean takes =
                !Modifier.isStatic(method.getModifiers())
                        || Arrays.stream(method.getParameterTypes())
                                .anyMatch(
                                        type ->
                                                type == Tensor.class
                                                        || type == Tensor[].class
                                                        || type == List.class);
        return makes && takes;
    }

    @Test
    void theTableIsComplete() {
        var listed = new TreeSet<>(CASES.keySet());
        listed.addAll(WITHOUT);
        var present = new TreeSet<String>();
        operators().forEach(present::add);
        assertEquals(present, listed);
    }

    @TestFactory
    Stream<DynamicTest> equalsDifferences() {
        return CASES.entrySet().stream()
                .map(each -> DynamicTest.dynamicTest(each.getKey(), () -> check(each.getValue())));
    }

    private static void check(Function<Sources, Case> make) {
        long before = Memory.liveTensors();
        try (var scope = TensorScope.open()) {
            Case one = make.apply(new Sources());
            List<Tensor> gradients = gradients(one);
            for (int i = 0; i < gradients.size(); i++) {
                double[] gradient = gradients.get(i).toDoubleArray();
                Tensor input = one.inputs().get(i).requiresGrad(false);
                double[] values = input.toDoubleArray();
                for (int j = 0; j < values.length; j++) {
                    double slope =
                            (weighed(one, i, values, j, STEP) - weighed(one, i, values, j, -STEP))
                                    / (2 * STEP);
                    double bound = BOUND * Math.max(1, Math.abs(slope));
                    assertEquals(slope, gradient[j], bound, "input " + i + ", element " + j);
                }
            }
        }
        assertEquals(before, Memory.liveTensors());
    }

    private static List<Tensor> gradients(Case one) {
        try (var mode = Mode.GRAD.enter()) {
            one.inputs().forEach(input -> input.requiresGrad(true));
            Tensor output = weighed(one.operator().apply(one.inputs()));
            assertTrue(output.requiresGrad(), "is not recorded");
            var gradients =
                    Gradients.of(
                            List.of(output), Collections.singletonList(null), one.inputs(), false);
            List<Tensor> all = new ArrayList<>();
            for (int i = 0; i < gradients.size(); i++) {
                Tensor gradient = gradients.get(i);
                if (gradient == null) { // copyInPlace overwrites its first input
                    gradient = one.inputs().get(i).times(0);
                }
                assertNotNull(gradient);
                all.add(gradient.detach());
            }
            return all;
        }
    }

    /** The operator's output as one number, with an input's element moved. */
    private static double weighed(Case one, int input, double[] values, int element, double by) {
        try (var scope = TensorScope.open()) {
            double[] moved = values.clone();
            moved[element] += by;
            List<Tensor> inputs = new ArrayList<>(one.inputs());
            inputs.set(input, Tensor.copyOf(moved, one.inputs().get(input).shape().toArray()));
            return weighed(one.operator().apply(inputs)).item();
        }
    }

    private static Tensor weighed(Tensor output) {
        var weights = new double[(int) output.elements()];
        Arrays.setAll(weights, i -> Math.cos(1 + i));
        return output.reshape(-1).times(Tensor.copyOf(weights, weights.length)).sum();
    }
}
