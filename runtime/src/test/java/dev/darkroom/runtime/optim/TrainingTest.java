package dev.darkroom.runtime.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.InScope;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Checkpointing;
import dev.darkroom.runtime.nn.Embedding;
import dev.darkroom.runtime.nn.Init;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Parameter;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What training needs beside the optimizers' numbers. */
@ExtendWith(InScope.class)
class TrainingTest {

    private static final class Net extends Module {
        private final Embedding classes;
        private final List<Linear> layers;
        private final Parameter shift;
        private final Parameter scale;

        Net(Weights w) {
            super(w);
            classes = new Embedding(w.sub("classes"), 3, 8);
            layers = w.list("layers", 4, each -> new Linear(each, 8, 8, true));
            shift = w.parameter("shift", Shape.of(8), Init.ZEROS);
            scale = w.buffer("scale", Shape.of(8), Init.ONES);
            w.constant("table", Shape.of(8), () -> Tensor.ones(DType.FLOAT32, 8));
        }

        private Tensor layer(int i, Tensor x, Tensor condition) {
            return x.plus(layers.get(i).forward(x.times(condition).tanh()));
        }

        private Tensor head(Tensor x, Tensor condition) {
            return x.plus(shift.value()).times(scale.value()).times(condition).square().mean();
        }

        Tensor loss(Tensor x, Tensor labels) {
            Tensor condition = classes.forward(labels).sigmoid();
            for (int i = 0; i < layers.size(); i++) {
                x = layer(i, x, condition);
            }
            return head(x, condition);
        }

        void checkpointed(Tensor x, Tensor labels) {
            try (var checkpoints = new Checkpointing()) {
                Tensor condition = checkpoints.boundary(classes.forward(labels).sigmoid());
                for (int i = 0; i < layers.size(); i++) {
                    int index = i;
                    x = checkpoints.run(in -> layer(index, in.get(0), in.get(1)), x, condition);
                }
                checkpoints.backward(head(x, condition));
            }
        }
    }

    private static Net net() {
        return Weights.random(3, DType.FLOAT32, Device.CPU, Net::new);
    }

    private static Tensor inputs() {
        try (var generator = new Generator(4)) {
            return Tensor.randn(generator, 5, 8);
        }
    }

    private static Tensor labels() {
        return Tensor.copyOf(new long[] {0, 1, 2, 1, 0}, 5);
    }

    private static Map<String, float[]> gradients(Module module) {
        var gradients = new LinkedHashMap<String, float[]>();
        module.trainable()
                .forEach((key, each) -> gradients.put(key, each.value().grad().toFloatArray()));
        return gradients;
    }

    @Test
    void checkpointingGivesTheSameGradients() {
        try (var net = net();
                var mode = Mode.GRAD.enter()) {
            net.train();
            net.loss(inputs(), labels()).backward();
            var plain = gradients(net);
            net.trainable().values().forEach(each -> each.value().setGrad(null));
            net.checkpointed(inputs(), labels());
            var checkpointed = gradients(net);
            assertEquals(plain.keySet(), checkpointed.keySet());
            plain.forEach((key, each) -> assertArrayEquals(each, checkpointed.get(key), key));
        }
    }

    @Test
    void checkpointingMakesBoundariesByItself() {
        try (var net = net();
                var mode = Mode.GRAD.enter();
                var checkpoints = new Checkpointing()) {
            net.train();
            Tensor condition = net.classes.forward(labels()).sigmoid();
            Tensor x = net.layer(0, inputs(), condition); // recorded, and so is the condition
            net.head(net.layer(1, x, condition), condition).backward();
            float[] plain = net.classes.parameters().get("weight").value().grad().toFloatArray();
            net.trainable().values().forEach(each -> each.value().setGrad(null));
            condition = net.classes.forward(labels()).sigmoid();
            x = net.layer(0, inputs(), condition);
            x = checkpoints.run(in -> net.layer(1, in.get(0), in.get(1)), x, condition);
            checkpoints.backward(net.head(x, condition));
            float[] checkpointed =
                    net.classes.parameters().get("weight").value().grad().toFloatArray();
            assertArrayEquals(plain, checkpointed, 1e-7f);
        }
    }

    @Test
    void onlyWhatIsTrainedCollectsGradients() {
        try (var net = net();
                var mode = Mode.GRAD.enter()) {
            assertFalse(net.loss(inputs(), labels()).requiresGrad());
            net.train();
            assertTrue(net.isTraining());
            assertTrue(net.layers.getFirst().isTraining());
            net.classes.freeze();
            net.loss(inputs(), labels()).backward();
            assertNull(net.classes.parameters().get("weight").value().grad());
            assertNull(net.scale.value().grad());
            assertFalse(net.trainable().containsKey("classes.weight"));
            assertFalse(net.trainable().containsKey("scale"));
            net.to(DType.FLOAT64);
            assertTrue(net.shift.value().requiresGrad());
            net.classes.unfreeze();
            assertTrue(net.trainable().containsKey("classes.weight"));
            net.eval();
            assertFalse(net.shift.value().requiresGrad());
        }
    }

    @Test
    void savesWhatItLoads(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("net.safetensors");
        try (var net = net()) {
            net.save(file);
            try (var saved = Safetensors.open(file, LoadMode.MAPPED)) {
                assertTrue(saved.names().contains("scale"));
                assertFalse(saved.names().contains("table"));
                try (var again = Weights.load(saved.weights(), null, Device.CPU, Net::new)) {
                    net.state()
                            .forEach(
                                    (key, value) ->
                                            assertTrue(
                                                    value.contentEquals(again.state().get(key))));
                }
            }
        }
        assertTrue(Files.exists(file));
    }

    @Test
    void matricesDecayAndTheRestDoesNot() {
        try (var net = net()) {
            var groups = ParameterGroups.of(net);
            assertEquals(
                    Set.of(
                            "layers.0.weight",
                            "layers.1.weight",
                            "layers.2.weight",
                            "layers.3.weight"),
                    groups.matrices().keySet());
            assertTrue(groups.others().containsKey("classes.weight"));
            assertTrue(groups.others().containsKey("layers.0.bias"));
            assertFalse(groups.others().containsKey("scale"));
            assertEquals(0, groups.decayed(1e-3, 0.1).get(1).weightDecay());
        }
    }

    private static Optimizer both(Net net) {
        var groups = ParameterGroups.of(net).decayed(1e-2, 0.01);
        return Optimizers.together(
                List.of(
                        new Muon(groups.subList(0, 1), Muon.Options.DEFAULTS),
                        new AdamW(groups.subList(1, 2), AdamW.Options.DEFAULTS)));
    }

    private static double step(Net net, Optimizer optimizer) {
        try (var scope = TensorScope.open();
                var mode = Mode.GRAD.enter()) {
            optimizer.zeroGrad();
            Tensor loss = net.loss(inputs().to(net.dtype()), labels());
            loss.backward();
            optimizer.step(1);
            return loss.item();
        }
    }

    @Test
    void muonAndAdamWTogetherGoOnFromTheirState() {
        try (var net = net();
                var optimizer = both(net)) {
            net.train();
            double first = step(net, optimizer);
            for (int i = 0; i < 20; i++) {
                step(net, optimizer);
            }
            assertTrue(step(net, optimizer) < first / 2);
            try (var other = both(net)) {
                other.load(optimizer.state());
                optimizer
                        .state()
                        .forEach(
                                (key, each) ->
                                        assertTrue(each.contentEquals(other.state().get(key))));
                var wrong = new LinkedHashMap<>(optimizer.state());
                wrong.remove("shift.step");
                wrong.put("shift.steps", Tensor.scalar(1, DType.FLOAT32));
                var error = assertThrows(IllegalArgumentException.class, () -> other.load(wrong));
                assertTrue(error.getMessage().contains("shift.step is missing"));
                assertTrue(error.getMessage().contains("shift.steps is unexpected"));
            }
        }
    }

    @Test
    void mastersKeepStepsThatBfloat16Loses() {
        try (var generator = new Generator(1)) {
            Tensor start = Tensor.ones(DType.BFLOAT16, 4).requiresGrad(true);
            var parameter = Parameter.of("w", start);
            var group = new ParameterGroup("all", Map.of("w", parameter), 1e-4, 0);
            try (parameter;
                    var masters =
                            new MasterWeights(
                                    List.of(group),
                                    groups -> new AdamW(groups, AdamW.Options.DEFAULTS))) {
                for (int i = 0; i < 100; i++) {
                    parameter.value().setGrad(Tensor.ones(DType.BFLOAT16, 4));
                    masters.step(1);
                    masters.zeroGrad();
                }
                // 100 steps of 1e-4, each too small for bfloat16's 2⁻⁸ below 1.
                assertEquals(0.99, masters.state().get("w.master").select(0, 0).item(), 1e-5);
                assertEquals(0.99, parameter.value().select(0, 0).item(), 2e-3);
                assertNull(parameter.value().grad());
            }
        }
    }

    @Test
    void mastersAccumulateInFloat32() {
        var parameter = Parameter.of("w", Tensor.ones(DType.BFLOAT16, 1).requiresGrad(true));
        var group = new ParameterGroup("all", Map.of("w", parameter), 1, 0);
        try (parameter;
                var masters =
                        new MasterWeights(
                                List.of(group),
                                groups -> new AdamW(groups, AdamW.Options.DEFAULTS))) {
            for (int i = 0; i < 512; i++) { // in bfloat16 the sum would stop at 256
                parameter.value().setGrad(Tensor.ones(DType.BFLOAT16, 1));
                masters.collect();
            }
            assertEquals(512, GradientNorm.of(masters.masters().values()));
        }
    }

    @Test
    void averagesAreCopiedIntoAModule() {
        try (var net = net();
                var copy = net();
                var ema = new Ema(net, Ema.Options.DEFAULTS)) {
            net.shift.value().fillInPlace(2);
            ema.update(0);
            ema.copyTo(copy);
            assertTrue(copy.shift.value().contentEquals(net.shift.value()));
            assertEquals(0, Ema.Options.DEFAULTS.at(0));
            assertEquals(0.9999, Ema.Options.DEFAULTS.at(10_000_000));
        }
    }

    @Test
    void normsShowWhatIsNotFinite() {
        var parameter = Parameter.of("w", Tensor.ones(DType.FLOAT32, 2).requiresGrad(true));
        try (parameter) {
            assertEquals(0, GradientNorm.clip(List.of(parameter), 1));
            parameter.value().setGrad(Tensor.copyOf(new float[] {1, Float.NaN}, 2));
            assertTrue(Double.isNaN(GradientNorm.clip(List.of(parameter), 1)));
            parameter.value().setGrad(Tensor.copyOf(new float[] {1, Float.POSITIVE_INFINITY}, 2));
            assertEquals(Double.POSITIVE_INFINITY, GradientNorm.clip(List.of(parameter), 1));
            assertEquals(1, parameter.value().grad().select(0, 0).item());
        }
    }

    @Test
    void learningRates() {
        var constant = LearningRate.constant(4);
        assertEquals(0.25, constant.factor(0));
        assertEquals(1, constant.factor(3));
        assertEquals(1, constant.factor(100));
        var cosine = LearningRate.cosine(2, 12, 0.1);
        assertEquals(0.5, cosine.factor(0));
        assertEquals(1, cosine.factor(2));
        assertEquals(0.55, cosine.factor(7), 1e-12);
        assertEquals(0.1, cosine.factor(12), 1e-12);
        assertEquals(0.1, cosine.factor(100), 1e-12);
    }

    @Test
    void initialisersHaveTheSpreadTheyPromise() {
        record Case(Init init, double std, double most) {}
        for (Case each :
                List.of(
                        new Case(Init.normal(0.02), 0.02, 1),
                        new Case(Init.kaiming(50), 0.2, 2),
                        new Case(Init.xavierUniform(30, 20), 0.2, 0.2 * Math.sqrt(3)),
                        new Case(Init.truncatedNormal(0.02), 0.02 * 0.8796, 0.04))) {
            try (var one =
                    Weights.random(
                            1,
                            DType.FLOAT32,
                            Device.CPU,
                            w -> new Linear(w, 200, 200, false, each.init()))) {
                Tensor drawn = one.weight().value();
                assertEquals(
                        each.std(),
                        Math.sqrt(drawn.variance(0, false, 0, 1).item()),
                        0.02 * each.std());
                assertEquals(0, drawn.mean().item(), 0.02 * each.std());
                assertTrue(drawn.abs().max().item() <= each.most() + 1e-6);
            }
        }
    }

    @Test
    void whatDoesNotFitIsRefused() {
        try (var net = net()) {
            var all = ParameterGroup.of(net, 1e-3, 0);
            var error =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> new Muon(List.of(all), Muon.Options.DEFAULTS));
            assertTrue(error.getMessage().contains("to AdamW"), error.getMessage());
            assertThrows(
                    IllegalArgumentException.class,
                    () -> new ParameterGroup("x", net.parameters(), 1e-3, 0));
            assertThrows(
                    IllegalArgumentException.class, () -> ParameterGroup.of(net, Double.NaN, 0));
        }
    }
}
