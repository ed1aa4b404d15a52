package dev.darkroom.runtime.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.InScope;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.Warnings;
import dev.darkroom.runtime.WeightSource;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/** Networks that are loaded when they are used, and weights that are kept in fewer bits. */
@ExtendWith(InScope.class)
class DeferredTest {
    private static final int WIDTH = 48;

    /** A first layer, two blocks and a computed table. */
    private static final class Net extends Module {
        final Linear first;
        final List<Linear> blocks;
        final Parameter table;

        Net(Weights w) {
            super(w);
            first = new Linear(w.sub("first"), WIDTH, WIDTH, true);
            blocks = w.list("blocks", 2, each -> new Linear(each.sub("proj"), WIDTH, WIDTH, true));
            table = w.constant("table", Shape.of(WIDTH), () -> Tensor.ones(DType.FLOAT64, WIDTH));
        }

        Tensor forward(Tensor x) {
            Tensor y = first.forward(x);
            for (Linear block : blocks) {
                y = block.forward(y).plus(table.value());
            }
            return y;
        }
    }

    private final AtomicInteger opened = new AtomicInteger();

    private static Map<String, Tensor> tensors(DType dtype) {
        var tensors = new LinkedHashMap<String, Tensor>();
        try (var net = Weights.random(1, DType.FLOAT32, Device.CPU, Net::new)) {
            net.state().forEach((name, value) -> tensors.put(name, value.to(dtype).copy()));
        }
        return tensors;
    }

    private Deferred<Net> deferred(Supplier<Map<String, Tensor>> tensors, DType dtype)
            throws IOException {
        return Deferred.of(
                reader -> {
                    opened.incrementAndGet();
                    Map<String, Tensor> there = tensors.get();
                    if (there.isEmpty()) {
                        throw new IOException("the file is gone");
                    }
                    reader.take(WeightSource.of("net", there));
                },
                true,
                dtype,
                Device.CPU,
                Warnings.strict(),
                Net::new);
    }

    private static Tensor input() {
        try (var generator = new Generator(5)) {
            return Tensor.randn(generator, 7, WIDTH);
        }
    }

    private static Tensor expected(Map<String, Tensor> tensors, DType dtype) throws IOException {
        try (var net = Weights.load(WeightSource.of("net", tensors), dtype, Device.CPU, Net::new)) {
            return net.forward(input().to(dtype));
        }
    }

    @Test
    void parametersComeWhenTheyAreUsedAndGoWhenAsked() throws IOException {
        var tensors = tensors(DType.FLOAT32);
        Tensor x = input().to(DType.FLOAT64);
        Tensor expected = expected(tensors, DType.FLOAT64);
        var deferred = deferred(() -> tensors, DType.FLOAT64);
        Net net = deferred.network();
        assertEquals(1, opened.get());
        long live = Memory.liveTensors();
        assertEquals(DType.FLOAT64, net.dtype());
        assertEquals(Device.CPU, net.device());
        assertEquals(DType.FLOAT64, net.first.weight().dtype());
        long bytes = 3L * WIDTH * (WIDTH + 1) * DType.FLOAT64.bytes();
        assertEquals(bytes, net.bytesToLoad());
        assertEquals(live, Memory.liveTensors());
        for (int request = 2; request < 5; request++) {
            Tensor y = net.forward(x);
            assertTrue(y.contentEquals(expected));
            y.close();
            assertEquals(request, opened.get());
            assertEquals(0, net.bytesToLoad());
            deferred.unload();
            assertEquals(bytes, net.bytesToLoad());
        }
        deferred.keep();
        deferred.unload();
        assertTrue(net.forward(x).contentEquals(expected));
        assertEquals(5, opened.get());
        net.close();
        deferred.load();
        assertThrows(IllegalStateException.class, () -> net.first.weight().value());
    }

    @Test
    void nothingComesBackAfterClose() throws IOException {
        var tensors = tensors(DType.FLOAT32);
        long live = Memory.liveTensors();
        Net net = deferred(() -> tensors, DType.FLOAT64).network();
        assertEquals(DType.FLOAT64, net.blocks.get(1).weight().value().dtype());
        assertTrue(Memory.liveTensors() > live);
        net.close();
        assertEquals(live, Memory.liveTensors());
        assertThrows(IllegalStateException.class, () -> net.first.weight().value());
        assertThrows(IllegalStateException.class, net::dtype);
    }

    @Test
    void whatIsWrongIsFoundAtOnce() {
        var tensors = tensors(DType.FLOAT32);
        tensors.remove("blocks.1.proj.bias");
        var error =
                assertThrows(WeightsException.class, () -> deferred(() -> tensors, DType.FLOAT32));
        assertEquals(List.of("blocks.1.proj.bias"), error.missing());
    }

    @Test
    void aFileThatGoesOrChangesIsAnErrorOfThatUse() throws IOException {
        var tensors = tensors(DType.FLOAT32);
        var now = new LinkedHashMap<>(tensors);
        var deferred = deferred(() -> now, DType.FLOAT64);
        Net net = deferred.network();
        Tensor x = input().to(DType.FLOAT64);
        long live = Memory.liveTensors();
        now.clear();
        var gone = assertThrows(UncheckedIOException.class, () -> net.forward(x));
        assertEquals("the file is gone", gone.getCause().getMessage());
        now.putAll(tensors);
        now.put("blocks.0.proj.weight", Tensor.zeros(DType.FLOAT32, 1, 1));
        var changed = assertThrows(UncheckedIOException.class, () -> net.forward(x));
        assertTrue(changed.getCause() instanceof WeightsException, changed::toString);
        now.putAll(tensors);
        assertEquals(live + 1, Memory.liveTensors()); // the tensor of another shape
        assertTrue(net.forward(x).contentEquals(expected(tensors, DType.FLOAT64)));
        deferred.unload();
        assertEquals(Shape.of(WIDTH), net.table.value().shape());
        net.close();
    }

    @Test
    void whatWouldBeLostIsRefused() throws IOException {
        var tensors = tensors(DType.FLOAT32);
        var deferred = deferred(() -> tensors, DType.FLOAT32);
        Net net = deferred.network();
        var weight = Tensor.zeros(DType.FLOAT32, WIDTH, WIDTH);
        for (var change :
                List.<Runnable>of(
                        () -> net.first.weight().set(weight),
                        net::train,
                        () -> net.to(DType.FLOAT64))) {
            var error = assertThrows(IllegalStateException.class, change::run);
            assertTrue(error.getMessage().contains("without offload"), error.getMessage());
        }
        deferred.unload();
        deferred.keep();
        net.first.weight().set(weight);
        net.close();
    }

    /** All formats but int8 give the same numbers, whatever the file's type. */
    @Test
    void smallerWeightsAreWidenedToTheSameNumbers() throws IOException {
        for (DType stored : List.of(DType.FLOAT16, DType.BFLOAT16, DType.FLOAT8_E4M3FN)) {
            var tensors = tensors(stored);
            for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT64, DType.BFLOAT16)) {
                Tensor expected = expected(tensors, dtype);
                long live = Memory.liveTensors();
                var deferred = deferred(() -> tensors, dtype);
                deferred.format(LinearFormat.STORED);
                Net net = deferred.network();
                boolean narrow = stored != dtype;
                assertEquals(narrow, net.blocks.getFirst().weight().isNarrow());
                assertFalse(net.first.weight().isNarrow(), "is no block's");
                assertEquals(dtype, net.blocks.getFirst().weight().dtype());
                Tensor y = net.forward(input().to(dtype));
                assertTrue(y.contentEquals(expected), stored + " in " + dtype);
                net.close();
                y.close();
                assertTrue(Memory.liveTensors() - live < 20, "no widened weights stay");
            }
        }
    }

    @Test
    void integersOfEightBitsAreCloseAndSmall() throws IOException {
        var tensors = tensors(DType.FLOAT32);
        Tensor zeros = tensors.get("blocks.0.proj.weight").narrow(0, 3, 2);
        zeros.fillInPlace(0); // rows without a scale
        for (DType dtype : List.of(DType.FLOAT32, DType.BFLOAT16, DType.FLOAT16)) {
            var deferred = deferred(() -> tensors, dtype);
            deferred.format(LinearFormat.INT8);
            Net net = deferred.network();
            long narrow = 2L * WIDTH * (WIDTH + DType.FLOAT32.bytes());
            long wide = (WIDTH * WIDTH + 3L * WIDTH) * dtype.bytes();
            long shared = dtype == DType.FLOAT32 ? 0 : wide;
            assertEquals(narrow + shared, net.bytesToLoad());
            assertEquals(narrow + wide + WIDTH * dtype.bytes(), net.bytes());
            for (Linear block : net.blocks) {
                Tensor exact = tensors.get(block.weight().key());
                Tensor rounded = block.weight().value();
                assertEquals(dtype, rounded.dtype());
                Tensor step = exact.abs().max(true, 1).dividedBy(127);
                double tolerance =
                        dtype == DType.FLOAT32 ? 0.501 : dtype == DType.FLOAT16 ? 0.6 : 1;
                Tensor error = rounded.to(DType.FLOAT32).minus(exact).abs();
                assertTrue(
                        error.le(0).where(error, error.minus(step.times(tolerance))).max().item()
                                <= 0);
            }
            Tensor y = net.forward(input().to(dtype)).to(DType.FLOAT32);
            Tensor difference = y.minus(expected(tensors, DType.FLOAT32));
            double relative = difference.norm(false, 0, 1).item() / y.norm(false, 0, 1).item();
            assertTrue(relative < 0.02, dtype + ": " + relative);
            net.close();
        }
    }

    @Test
    void integersAreNotTrainedWrittenOrChanged() throws IOException {
        var tensors = tensors(DType.FLOAT32);
        var deferred = deferred(() -> tensors, DType.FLOAT32);
        deferred.format(LinearFormat.INT8);
        deferred.keep();
        Net net = deferred.network();
        for (var change :
                List.<Runnable>of(
                        net::state,
                        net::train,
                        () -> net.to(DType.FLOAT64),
                        () -> net.blocks.get(1).weight().set(Tensor.zeros(DType.FLOAT32, 1, 1)))) {
            var error = assertThrows(IllegalStateException.class, change::run);
            assertTrue(error.getMessage().contains("is kept as int8"), error.getMessage());
        }
        var late =
                assertThrows(
                        IllegalStateException.class, () -> deferred.format(LinearFormat.STORED));
        assertTrue(late.getMessage().contains("unload"), late.getMessage());
        net.close();
    }

    /**
     * A scale of the matrix or of each row, under both names; those of activations are not used.
     */
    @Test
    void float8IsMultipliedByItsScale() throws IOException {
        var tensors = tensors(DType.FLOAT32);
        Tensor expected = expected(tensors, DType.FLOAT32);
        for (String name : List.of("scale_weight", "weight_scale")) {
            for (int form = 0; form < 4; form++) {
                var scaled = new LinkedHashMap<>(tensors);
                for (String layer : List.of("first", "blocks.0.proj", "blocks.1.proj")) {
                    Tensor weight = tensors.get(layer + ".weight");
                    Tensor largest = form < 2 ? weight.abs().max() : weight.abs().max(form == 2, 1);
                    Tensor scale = largest.dividedBy(448);
                    Tensor rows = form < 2 ? scale : scale.reshape(-1, 1);
                    scaled.put(layer + ".weight", weight.dividedBy(rows).to(DType.FLOAT8_E4M3FN));
                    scaled.put(layer + "." + name, form == 1 ? scale.reshape(1) : scale);
                    scaled.put(layer + ".scale_input", Tensor.ones(DType.FLOAT32));
                }
                scaled.put("scaled_fp8", Tensor.zeros(DType.FLOAT8_E4M3FN, 2));
                Tensor wide = expected(scaled, DType.FLOAT32);
                double relative =
                        wide.minus(expected).norm(false, 0, 1).item()
                                / expected.norm(false, 0, 1).item();
                assertTrue(relative < 0.06 && relative > 0.001, name + form + ": " + relative);
                for (LinearFormat format : LinearFormat.values()) {
                    var deferred = deferred(() -> scaled, DType.FLOAT32);
                    deferred.format(format);
                    Net net = deferred.network();
                    assertTrue(net.forward(input()).contentEquals(wide), name + format);
                    assertEquals(
                            format != LinearFormat.COMPUTED,
                            net.blocks.getFirst().weight().isNarrow());
                    net.close();
                }
            }
        }
    }
}
