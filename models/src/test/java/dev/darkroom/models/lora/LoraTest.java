package dev.darkroom.models.lora;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;
import dev.darkroom.runtime.nn.Deferred;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.LinearFormat;
import dev.darkroom.runtime.nn.Module;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.ParameterGroup;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.testing.Golden;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

class LoraTest {
    private static final Path BASE = Path.of(System.getProperty("basedir", "."));
    private static final Path PEFT = BASE.resolve("../tests/oracle/lora");
    private static final LoraConfig CONFIG = new LoraConfig(2, 6, List.of("up", "down"));

    private static final class Network extends Module {
        private final Linear up;
        private final Linear down;

        Network(Weights w) {
            super(w);
            up = new Linear(w.sub("up"), 6, 8, true);
            down = new Linear(w.sub("down"), 8, 3, false);
        }

        Tensor forward(Tensor x) {
            return down.forward(up.forward(x).tanh());
        }
    }

    @TempDir private Path folder;

    private final long before = Memory.liveTensors();
    private TensorScope scope;
    private Safetensors file;
    private Network network;
    private Tensor x;
    private Tensor adapted;

    @BeforeEach
    void load() throws IOException {
        scope = TensorScope.open();
        file = Safetensors.open(PEFT.resolve("network.safetensors"), LoadMode.MAPPED);
        Map<String, Tensor> weights =
                Map.of(
                        "up.weight", file.tensor("up.weight"),
                        "up.bias", file.tensor("up.bias"),
                        "down.weight", file.tensor("down.weight"));
        WeightSource source = WeightSource.of("network", weights);
        network = Weights.load(source, null, Device.CPU, Network::new);
        x = file.tensor("x");
        adapted = file.tensor("output");
    }

    @AfterEach
    void close() throws IOException {
        network.close();
        scope.close();
        file.close();
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void readsWhatPeftWrote() throws IOException {
        Tensor plain = network.forward(x);
        try (var lora = Lora.load(network, PEFT)) {
            assertEquals(3, lora.config().scale());
            Golden.assertClose("adapted", adapted, network.forward(x), 1e-6);
            lora.enable(false);
            assertTrue(plain.contentEquals(network.forward(x)));
        }
        assertTrue(plain.contentEquals(network.forward(x)));
    }

    @Test
    void offForAWhileTheNetworkIsWhatItWas() throws IOException {
        Tensor plain = network.forward(x);
        try (var lora = Lora.load(network, PEFT)) {
            Tensor on = network.forward(x);
            try (var off = lora.disabled()) {
                assertTrue(plain.contentEquals(network.forward(x)));
                try (var again = lora.disabled()) {
                    assertTrue(plain.contentEquals(network.forward(x)));
                }
                assertTrue(plain.contentEquals(network.forward(x)));
            }
            assertTrue(on.contentEquals(network.forward(x)));
            lora.merge();
            assertThrows(IllegalStateException.class, lora::disabled);
        }
    }

    @Test
    void mergedWeightsGiveTheSame() throws IOException {
        Tensor plain = network.forward(x);
        byte[] stored = Files.readAllBytes(PEFT.resolve("network.safetensors"));
        try (var lora = Lora.load(network, PEFT)) {
            lora.merge();
            Golden.assertClose("merged", adapted, network.forward(x), 1e-6);
            assertThrows(IllegalStateException.class, lora::merge);
            lora.unmerge();
            Golden.assertClose("unmerged", adapted, network.forward(x), 1e-6);
            assertThrows(IllegalStateException.class, lora::unmerge);
        }
        Golden.assertClose("plain", plain, network.forward(x), 1e-6);
        assertArrayEquals(stored, Files.readAllBytes(PEFT.resolve("network.safetensors")));
    }

    /**
     * The output of the network whose weights have the changes of adapters in them, times factors.
     */
    private Tensor withWeightsOf(Map<Lora, Double> factors) throws IOException {
        var weights = new LinkedHashMap<String, Tensor>();
        network.state().forEach((name, value) -> weights.put(name, value.copy()));
        factors.forEach(
                (lora, factor) -> {
                    for (String layer : List.of("up", "down")) {
                        String key = "base_model.model." + layer + ".lora_";
                        var a = lora.parameters().get(key + "A.weight");
                        var b = lora.parameters().get(key + "B.weight");
                        if (a != null) {
                            Tensor change = b.value().matmul(a.value()).times(factor);
                            weights.merge(layer + ".weight", change, Tensor::plus);
                        }
                    }
                });
        var source = WeightSource.of("network", weights);
        try (var merged = Weights.load(source, null, Device.CPU, Network::new)) {
            return merged.forward(x);
        }
    }

    private Lora random(LoraConfig config, Generator generator) {
        var lora = Lora.create(network, config, generator);
        lora.parameters()
                .values()
                .forEach(
                        each ->
                                each.set(
                                        Tensor.randn(
                                                each.shape(),
                                                generator,
                                                DType.FLOAT32,
                                                Device.CPU)));
        return lora;
    }

    @Test
    void twoSetsOfAdaptersAddUp() throws IOException {
        Tensor plain = network.forward(x);
        try (var generator = new Generator(2);
                var first = random(CONFIG, generator); // alpha/r = 3
                var second = random(new LoraConfig(4, 4, List.of("up")), generator)) {
            first.strength(0.5);
            second.strength(-0.25);
            Tensor both = network.forward(x);
            Golden.assertClose(
                    "both", withWeightsOf(Map.of(first, 1.5, second, -0.25)), both, 1e-6);
            try (var off = first.disabled()) {
                Golden.assertClose(
                        "second", withWeightsOf(Map.of(second, -0.25)), network.forward(x), 1e-6);
            }
            assertTrue(both.contentEquals(network.forward(x)));
            first.merge();
            assertThrows(IllegalStateException.class, () -> first.strength(1));
            Golden.assertClose("one merged", both, network.forward(x), 1e-6);
            second.merge();
            Golden.assertClose("both merged", both, network.forward(x), 1e-6);
            first.unmerge();
            second.unmerge();
            Golden.assertClose("unmerged", both, network.forward(x), 1e-6);
            first.strength(0);
            second.enable(false);
            Golden.assertClose("off", plain, network.forward(x), 1e-6);
        }
        Golden.assertClose("plain", plain, network.forward(x), 1e-6);
    }

    @Test
    void neutralAdaptersAndTheOrderOfTwoDoNotMatter() throws IOException {
        Tensor plain = network.forward(x);
        var other = new LoraConfig(4, 4, List.of("up"));
        Tensor oneWay;
        try (var generator = new Generator(2);
                var first = random(CONFIG, generator);
                var second = random(other, generator)) {
            oneWay = network.forward(x);
            first.save(folder.resolve("first"));
            second.save(folder.resolve("second"));
            first.strength(0);
            second.strength(0);
            assertTrue(plain.contentEquals(network.forward(x)));
            assertThrows(IllegalArgumentException.class, () -> first.strength(Double.NaN));
        }
        var second = Lora.load(network, folder.resolve("second"));
        var first = Lora.load(network, folder.resolve("first"));
        assertTrue(oneWay.contentEquals(network.forward(x)));
        second.close();
        first.close();
        assertTrue(plain.contentEquals(network.forward(x)));
    }

    /** Leaves a folder that {@code tests/oracle/lora.py check} gives to PEFT. */
    @Test
    void writesWhatPeftReads() throws IOException {
        Path written = Files.createDirectories(BASE.resolve("target/lora"));
        try (var generator = new Generator(1);
                var lora = Lora.create(network, CONFIG, generator)) {
            for (var parameter : lora.parameters().values()) {
                parameter.set(
                        Tensor.randn(parameter.shape(), generator, DType.FLOAT32, Device.CPU));
            }
            lora.save(written);
            Tensor output = network.forward(x);
            Map<String, Tensor> tensors =
                    Map.of(
                            "up.weight", file.tensor("up.weight"),
                            "up.bias", file.tensor("up.bias"),
                            "down.weight", file.tensor("down.weight"),
                            "x", x,
                            "output", output);
            SafetensorsWriter.write(written.resolve("network.safetensors"), tensors, Map.of());
            lora.enable(false);
            try (var again = Lora.load(network, written)) {
                assertTrue(output.contentEquals(network.forward(x)));
                assertEquals(CONFIG, again.config());
            }
        }
        try (var ours =
                        Safetensors.open(
                                written.resolve("adapter_model.safetensors"), LoadMode.READ);
                var theirs =
                        Safetensors.open(
                                PEFT.resolve("adapter_model.safetensors"), LoadMode.READ)) {
            assertEquals(theirs.names(), ours.names());
            for (String name : ours.names()) {
                assertEquals(theirs.info(name).shape(), ours.info(name).shape());
            }
        }
    }

    @Test
    void newAdaptersChangeNothingUntilTheyAreTrained() throws IOException {
        Tensor plain = network.forward(x);
        Tensor target = plain.plus(1);
        Tensor weight = network.up.weight().value().copy();
        try (var generator = new Generator(1);
                var lora = Lora.create(network, CONFIG, generator)) {
            assertTrue(plain.contentEquals(network.forward(x)));
            lora.train(true);
            double first = 0;
            double last = 0;
            try (var optimizer =
                    new AdamW(
                            List.of(new ParameterGroup("lora", lora.parameters(), 0.05, 0)),
                            AdamW.Options.DEFAULTS)) {
                for (int step = 0; step < 100; step++) {
                    try (var inner = TensorScope.open();
                            var mode = Mode.GRAD.enter()) {
                        Tensor loss = Ops.meanSquaredError(network.forward(x), target);
                        optimizer.zeroGrad();
                        loss.backward();
                        optimizer.step(1);
                        last = loss.item();
                        first = step == 0 ? last : first;
                    }
                }
            }
            assertNull(network.up.weight().value().grad());
            assertTrue(last < first / 20, first + " fell to " + last);
            lora.save(folder);
        }
        assertTrue(weight.contentEquals(network.up.weight().value()));
        assertTrue(plain.contentEquals(network.forward(x)));
        try (var lora = Lora.load(network, folder)) {
            assertNotEquals(plain.sum().item(), network.forward(x).sum().item());
        }
    }

    @Test
    void whatIsExtraIsAWarningWhereItMayBe() throws IOException {
        Path config = folder.resolve("adapter_config.json");
        Path weights = folder.resolve("adapter_model.safetensors");
        String text = Files.readString(PEFT.resolve("adapter_config.json"));
        Files.writeString(config, text.replaceFirst("\\{", "{\"sauce\": 1,"));
        try (var scope = TensorScope.open()) {
            var tensors = new LinkedHashMap<String, Tensor>();
            try (var file =
                    Safetensors.open(PEFT.resolve("adapter_model.safetensors"), LoadMode.READ)) {
                for (String name : file.names()) {
                    tensors.put(name, file.tensor(name));
                }
            }
            tensors.put("base_model.model.gone.lora_A.weight", Tensor.ones(DType.FLOAT32, 2, 2));
            SafetensorsWriter.write(weights, tensors, Map.of());
        }
        var warnings = Warnings.collected();
        try (var lora = Lora.load(network, folder, warnings)) {
            Golden.assertClose("adapted", adapted, network.forward(x), 1e-6);
        }
        assertEquals(
                List.of(
                        config + ": an option that is not known and without effect: sauce (1)",
                        weights
                                + " has tensors for layers that are not adapted:"
                                + " base_model.model.gone.lora_A.weight"),
                warnings.list());
        assertThrows(IOException.class, () -> Lora.load(network, folder));
        Files.writeString(config, text);
        var error = assertThrows(IOException.class, () -> Lora.load(network, folder));
        assertTrue(error.getMessage().contains("unexpected base_model.model.gone"));
    }

    @Test
    void whatDoesNotFitIsNamed() throws IOException {
        try (var generator = new Generator(1)) {
            var nowhere = new LoraConfig(2, 2, List.of("to_q"));
            var error =
                    assertThrows(
                            IllegalArgumentException.class,
                            () -> Lora.create(network, nowhere, generator));
            assertTrue(error.getMessage().contains("to_q"), error.getMessage());
            assertTrue(error.getMessage().contains("down"), error.getMessage());
        }
        Files.copy(
                PEFT.resolve("adapter_model.safetensors"),
                folder.resolve("adapter_model.safetensors"));
        String config = Files.readString(PEFT.resolve("adapter_config.json"));
        Path json = folder.resolve("adapter_config.json");
        Files.writeString(json, config.replace("\"r\": 2", "\"r\": 3"));
        var rank = assertThrows(IOException.class, () -> Lora.load(network, folder));
        assertTrue(rank.getMessage().contains("up.lora_A.weight"), rank.getMessage());
        Files.writeString(json, config.replace("\"use_dora\": false", "\"use_dora\": true"));
        var dora = assertThrows(IOException.class, () -> Lora.load(network, folder));
        assertTrue(dora.getMessage().contains("use_dora"), dora.getMessage());
        for (String variant : List.of("\"kasa_config\": {}", "\"next_config\": null")) {
            Files.writeString(json, config.replace("\"kasa_config\": null", variant));
            var error = assertThrows(IOException.class, () -> Lora.load(network, folder));
            String name = variant.substring(1, variant.indexOf('"', 1));
            assertTrue(error.getMessage().contains(name), error.getMessage());
        }
    }

    /** Adapters stay when the weights beside them are freed, read again, and rounded. */
    @Test
    void weightsOfEightBitsThatComeAndGoAreAdapted() throws IOException {
        Tensor plain = network.forward(x);
        var weights = new LinkedHashMap<String, Tensor>();
        network.state().forEach((name, value) -> weights.put("blocks.0." + name, value));
        var deferred =
                Deferred.of(
                        reader -> reader.take(WeightSource.of("blocks", weights)),
                        true,
                        DType.FLOAT32,
                        Device.CPU,
                        Warnings.strict(),
                        Blocks::new);
        deferred.format(LinearFormat.INT8);
        Network block = deferred.network().blocks.getFirst();
        try (var whole = Lora.load(network, PEFT);
                var generator = new Generator(1);
                var lora = Lora.create(deferred.network(), CONFIG, generator)) {
            whole.parameters()
                    .forEach(
                            (name, parameter) ->
                                    lora.parameters()
                                            .get(
                                                    name.replace(
                                                            "model.model.",
                                                            "model.model.blocks.0."))
                                            .set(parameter.value().copy()));
            for (int i = 0; i < 2; i++) {
                Golden.assertClose("adapted", adapted, block.forward(x), 0.02);
                assertTrue(block.up.weight().isNarrow());
                assertThrows(IllegalStateException.class, lora::merge);
                Golden.assertClose("still", adapted, block.forward(x), 0.02);
                deferred.unload();
            }
            lora.enable(false);
            Golden.assertClose("plain", plain, block.forward(x), 0.02);
        }
        deferred.network().close();
    }

    private static final class Blocks extends Module {
        private final List<Network> blocks;

        Blocks(Weights w) {
            super(w);
            blocks = w.list("blocks", 1, Network::new);
        }
    }
}
