package dev.darkroom.runtime.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.InScope;
import dev.darkroom.runtime.InsufficientMemoryException;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

@ExtendWith(InScope.class)
class WeightsTest {

    /** A network with a list, a two-level name, an optional parameter and a computed table. */
    private static final class Net extends Module {
        final List<Linear> blocks;
        final Parameter extra;
        final Parameter table;

        Net(Weights w) {
            super(w);
            blocks = w.list("blocks", 2, each -> new Linear(each.sub("ff.proj"), 2, 2, true));
            extra = w.has("extra") ? w.parameter("extra", Shape.of(3), Init.ONES) : null;
            table = w.constant("table", Shape.of(4), () -> Tensor.ones(DType.FLOAT32, 4));
            w.ignore("position_ids", "decoder.*", "*.running_total");
        }
    }

    private static Map<String, Tensor> tensors() {
        var tensors = new HashMap<String, Tensor>();
        for (int i = 0; i < 2; i++) {
            tensors.put("blocks." + i + ".ff.proj.weight", Tensor.ones(DType.FLOAT32, 2, 2));
            tensors.put("blocks." + i + ".ff.proj.bias", Tensor.zeros(DType.FLOAT32, 2));
        }
        return tensors;
    }

    private static Net load(Map<String, Tensor> tensors, DType dtype) throws IOException {
        return Weights.load(WeightSource.of("a.safetensors", tensors), dtype, Device.CPU, Net::new);
    }

    @Test
    void parametersHaveTheNamesOfTheCheckpoint() throws IOException {
        var tensors = tensors();
        tensors.put("extra", Tensor.ones(DType.FLOAT32, 3));
        tensors.put("position_ids", Tensor.arange(3));
        tensors.put("decoder.weight", Tensor.ones(DType.FLOAT32, 3));
        try (var net = load(tensors, null)) {
            assertEquals(
                    List.of(
                            "extra",
                            "table",
                            "blocks.0.ff.proj.weight",
                            "blocks.0.ff.proj.bias",
                            "blocks.1.ff.proj.weight",
                            "blocks.1.ff.proj.bias"),
                    List.copyOf(net.parameters().keySet()));
            assertEquals(
                    List.of("weight", "bias"),
                    List.copyOf(net.blocks.get(1).parameters().keySet()));
            assertEquals(4 * (3 + 4 + 2 * (4 + 2)), net.bytes());
        }
    }

    @Test
    void memoryIsSharedWhereTypeAndDeviceAllow() throws IOException {
        var tensors = tensors();
        try (var shared = load(tensors, DType.FLOAT32);
                var cast = load(tensors, DType.BFLOAT16)) {
            long address = tensors.get("blocks.0.ff.proj.weight").dataPointer();
            assertEquals(address, shared.blocks.get(0).weight().value().dataPointer());
            assertNotEquals(address, cast.blocks.get(0).weight().value().dataPointer());
            assertEquals(DType.BFLOAT16, cast.dtype());
            assertEquals(DType.BFLOAT16, cast.table.value().dtype());
            assertNull(shared.extra);
        }
        assertFalse(tensors.get("blocks.0.ff.proj.weight").isClosed());
    }

    @Test
    void everythingThatDoesNotFitIsReportedAtOnce() {
        var tensors = tensors();
        tensors.remove("blocks.0.ff.proj.bias");
        tensors.put("blocks.1.ff.proj.bias", Tensor.zeros(DType.FLOAT32, 3));
        tensors.put("blocks.1.ff.proj.weight", Tensor.zeros(DType.INT8, 2, 2));
        tensors.put("stray", Tensor.zeros(DType.FLOAT32, 1));
        var error = assertThrows(WeightsException.class, () -> load(tensors, null));
        assertEquals(List.of("blocks.0.ff.proj.bias"), error.missing());
        assertEquals(List.of("stray"), error.unexpected());
        assertEquals(2, error.mismatches().size());
        assertEquals(
                "a.safetensors does not fit Net as configured; 1 missing: blocks.0.ff.proj.bias;"
                        + " 1 unexpected: stray; 2 of another shape or type:"
                        + " blocks.1.ff.proj.weight (int8[2, 2] instead of [2, 2]),"
                        + " blocks.1.ff.proj.bias (float32[3] instead of [2]). Check that config"
                        + " and weights belong together.",
                error.getMessage());
    }

    @Test
    void longListsAreCutShort() {
        var tensors = tensors();
        for (int i = 0; i < 9; i++) {
            tensors.put("stray" + i, Tensor.zeros(DType.FLOAT32, 1));
        }
        var error = assertThrows(WeightsException.class, () -> load(tensors, null));
        assertEquals(9, error.unexpected().size());
        assertTrue(error.getMessage().contains(" and 4 more. Check"), error.getMessage());
    }

    private static List<String> warnings(Map<String, Tensor> tensors) throws IOException {
        var warnings = Warnings.collected();
        var source = WeightSource.of("a.safetensors", tensors);
        Weights.load(source, null, Device.CPU, warnings, Net::new).close();
        return warnings.list();
    }

    @Test
    void tensorsWithoutAUseAreNamedInOneWarning() throws IOException {
        var tensors = tensors();
        tensors.put("stray", Tensor.zeros(DType.FLOAT32, 1));
        tensors.put("blocks.2.ff.proj.weight", Tensor.zeros(DType.INT8, 1));
        var found = warnings(tensors);
        assertEquals(1, found.size());
        assertTrue(
                found.getFirst().startsWith("a.safetensors has more than Net needs; 2 ignored: "),
                found.getFirst());
        assertTrue(found.getFirst().contains("stray"), found.getFirst());
        assertTrue(found.getFirst().contains("blocks.2.ff.proj.weight"), found.getFirst());
    }

    @Test
    void aWarningHasABoundedLength() throws IOException {
        var tensors = tensors();
        for (int i = 0; i < 1000; i++) {
            tensors.put("stray\n" + "x".repeat(10_000) + i, Tensor.zeros(DType.FLOAT32, 1));
        }
        String warning = warnings(tensors).getFirst();
        assertTrue(warning.length() < 1200, () -> "it has " + warning.length() + " characters");
        assertFalse(warning.contains("\n"), warning);
        assertTrue(warning.endsWith(" and 995 more"), warning);
    }

    @Test
    void knownLeftoversPassSilently() throws IOException {
        var tensors = tensors();
        tensors.put("position_ids", Tensor.arange(3));
        tensors.put("decoder.block.0.weight", Tensor.ones(DType.FLOAT32, 3));
        tensors.put("a.b.running_total", Tensor.ones(DType.FLOAT32, 3));
        tensors.put("scaled_fp8", Tensor.zeros(DType.FLOAT8_E4M3FN, 2));
        tensors.put("nothing", Tensor.zeros(DType.FLOAT32, 0, 3));
        assertEquals(List.of(), warnings(tensors));
        tensors.put("a.b.running_totals", Tensor.ones(DType.FLOAT32, 3));
        assertEquals(1, warnings(tensors).size());
    }

    @Test
    void whatIsMissingIsAnErrorWhateverIsAllowed() {
        var tensors = tensors();
        tensors.remove("blocks.0.ff.proj.bias");
        tensors.put("stray", Tensor.zeros(DType.FLOAT32, 1));
        var error = assertThrows(WeightsException.class, () -> warnings(tensors));
        assertEquals(List.of("blocks.0.ff.proj.bias"), error.missing());
        assertEquals(List.of("stray"), error.unexpected());
    }

    @Test
    void float8IsCastUnlessItHasAScale() throws IOException {
        var tensors = tensors();
        Tensor weight = Tensor.full(Shape.of(2, 2), 1.75, DType.FLOAT32, Device.CPU);
        tensors.put("blocks.1.ff.proj.weight", weight.to(DType.FLOAT8_E4M3FN));
        try (var net = load(tensors, DType.FLOAT32)) {
            assertTrue(net.blocks.get(1).weight().value().contentEquals(weight));
        }
        for (String scale :
                List.of(
                        "scaled_fp8",
                        "blocks.1.ff.proj.scale_bias",
                        "blocks.1.ff.proj.weight_scale_inv",
                        "blocks.1.ff.proj.comfy_quant")) {
            var scaled = new HashMap<>(tensors);
            scaled.put(scale, Tensor.ones(DType.FLOAT32, 1));
            var error = assertThrows(WeightsException.class, () -> warnings(scaled), scale);
            assertTrue(
                    error.getMessage()
                            .contains("blocks.1.ff.proj.weight (float8_e4m3fn[2, 2]) is float8"),
                    error.getMessage());
        }
        for (Tensor scale :
                List.of(
                        Tensor.ones(DType.FLOAT32, 3),
                        Tensor.ones(DType.FLOAT32, 2, 2),
                        Tensor.ones(DType.FLOAT32, 1, 2),
                        Tensor.ones(DType.INT8, 1))) {
            var scaled = new HashMap<>(tensors);
            scaled.put("blocks.1.ff.proj.scale_weight", scale);
            var error = assertThrows(WeightsException.class, () -> warnings(scaled));
            assertTrue(error.getMessage().contains("is float8"), error.getMessage());
        }
        var twice = new HashMap<>(tensors);
        twice.put("blocks.1.ff.proj.scale_weight", Tensor.ones(DType.FLOAT32, 1));
        twice.put("blocks.1.ff.proj.weight_scale", Tensor.ones(DType.FLOAT32, 1));
        assertThrows(WeightsException.class, () -> warnings(twice));
        tensors.put("blocks.0.ff.proj.scale_weight", Tensor.ones(DType.FLOAT32, 1)); // of float32
        assertEquals(1, warnings(tensors).size());
    }

    @Test
    void aNetworkSaysWhatItDeclares() {
        long live = Memory.liveTensors();
        var declared = Weights.declared(Net::new);
        assertEquals(live, Memory.liveTensors());
        assertEquals(
                List.of(
                        "blocks.0.ff.proj.weight",
                        "blocks.0.ff.proj.bias",
                        "blocks.1.ff.proj.weight",
                        "blocks.1.ff.proj.bias"),
                List.copyOf(declared.keySet()));
        assertEquals(Shape.of(2, 2), declared.get("blocks.0.ff.proj.weight"));
        long width = 1L << 40;
        assertEquals(
                Map.of("weight", Shape.of(width, width)),
                Weights.declared(w -> new Linear(w, width, width, false)));
    }

    /** A source whose last tensor can't be read. */
    private record Broken(WeightSource source, String broken) implements WeightSource {
        @Override
        public String name() {
            return source.name();
        }

        @Override
        public Set<String> keys() {
            return source.keys();
        }

        @Override
        public Shape shape(String key) {
            return source.shape(key);
        }

        @Override
        public Optional<DType> dtype(String key) {
            return source.dtype(key);
        }

        @Override
        public Tensor read(String key) throws IOException {
            if (key.equals(broken)) {
                throw new IOException("bad sector");
            }
            return source.read(key);
        }
    }

    @Test
    void aFailureFreesWhatWasLoaded() {
        var source = new Broken(WeightSource.of("a", tensors()), "blocks.1.ff.proj.bias");
        long live = Memory.liveTensors();
        var error =
                assertThrows(
                        IOException.class,
                        () -> Weights.load(source, DType.FLOAT64, Device.CPU, Net::new));
        assertEquals("bad sector", error.getMessage());
        assertEquals(live, Memory.liveTensors());
    }

    @Test
    void moreThanThereIsMemoryForIsRefused() {
        var error =
                assertThrows(
                        InsufficientMemoryException.class,
                        () ->
                                Weights.random(
                                        7,
                                        DType.FLOAT32,
                                        Device.CPU,
                                        w -> new Linear(w, 1L << 24, 1L << 24, false)));
        assertEquals(1L << 50, error.needed());
        assertTrue(error.getMessage().startsWith("Linear in float32 needs"), error.getMessage());
    }

    @Test
    void drawnParametersDependOnTheSeedOnly() {
        try (var a = Weights.random(7, DType.FLOAT32, Device.CPU, Net::new);
                var b = Weights.random(7, DType.FLOAT32, Device.CPU, Net::new);
                var c = Weights.random(8, DType.FLOAT32, Device.CPU, Net::new)) {
            Tensor weight = a.blocks.get(1).weight().value();
            assertTrue(weight.contentEquals(b.blocks.get(1).weight().value()));
            assertFalse(weight.contentEquals(c.blocks.get(1).weight().value()));
            assertTrue(
                    a.blocks.get(1).bias().value().contentEquals(Tensor.zeros(DType.FLOAT32, 2)));
        }
        try (var linear =
                Weights.random(1, DType.FLOAT32, Device.CPU, w -> new Linear(w, 400, 400, false))) {
            double variance = linear.weight().value().square().mean().item();
            assertEquals(1 / 400.0, variance, 0.05 / 400);
        }
    }

    @Test
    void aModuleIsCastAndClosed() {
        var net = Weights.random(7, DType.FLOAT32, Device.CPU, Net::new);
        Tensor first = net.blocks.get(0).weight().value();
        net.to(DType.FLOAT64);
        assertTrue(first.isClosed());
        assertEquals(DType.FLOAT64, net.dtype());
        net.to(Device.CPU);
        net.close();
        net.close();
        var error =
                assertThrows(IllegalStateException.class, () -> net.blocks.get(0).weight().value());
        assertTrue(error.getMessage().startsWith("blocks.0.ff.proj.weight has no value"));
    }

    @Test
    void aParameterKeepsItsShape() {
        try (var net = Weights.random(7, DType.FLOAT32, Device.CPU, Net::new)) {
            Parameter weight = net.blocks.get(0).weight();
            weight.set(Tensor.zeros(DType.FLOAT32, 2, 2));
            assertEquals(0, weight.value().sum().item());
            assertThrows(
                    IllegalArgumentException.class,
                    () -> weight.set(Tensor.zeros(DType.FLOAT32, 2, 3)));
        }
    }

    @Test
    void valuesAreNotThereInConstructors() {
        assertThrows(
                IllegalStateException.class,
                () ->
                        Weights.random(
                                7,
                                DType.FLOAT32,
                                Device.CPU,
                                w -> {
                                    var net = new Net(w);
                                    net.blocks.get(0).weight().value();
                                    return net;
                                }));
    }

    @Test
    void namesAreDeclaredOnceAndInAModule() {
        var twice =
                assertThrows(
                        IllegalStateException.class,
                        () ->
                                Weights.random(
                                        7,
                                        DType.FLOAT32,
                                        Device.CPU,
                                        w -> {
                                            new Net(w);
                                            return new Net(w);
                                        }));
        assertEquals("blocks.0.ff.proj.weight is declared twice", twice.getMessage());
        assertThrows(
                IllegalStateException.class,
                () ->
                        Weights.random(
                                7,
                                DType.FLOAT32,
                                Device.CPU,
                                w -> {
                                    w.parameter("weight", Shape.of(1), Init.ONES);
                                    return new Net(w);
                                }));
    }

    @Test
    void oldNamesAreReplaced() throws IOException {
        var tensors = tensors();
        var weight = tensors.remove("blocks.0.ff.proj.weight");
        tensors.put("blocks.0.mlp.weight", weight);
        var source =
                WeightSource.of("a", tensors)
                        .renamed(key -> key.replace("blocks.0.mlp", "blocks.0.ff.proj"));
        assertEquals("a", source.name());
        try (var net = Weights.load(source, null, Device.CPU, Net::new)) {
            assertEquals(weight.dataPointer(), net.blocks.get(0).weight().value().dataPointer());
        }
        assertThrows(
                IllegalArgumentException.class,
                () -> WeightSource.of("a", tensors).renamed(k -> "b"));
        tensors.put("blocks.0.ff.proj.weight", weight);
        var both = WeightSource.of("a", tensors).renamed(k -> k.replace("0.mlp", "0.ff.proj"));
        assertTrue(both.keys().contains("blocks.0.mlp.weight"), "a name that is taken");
    }
}
