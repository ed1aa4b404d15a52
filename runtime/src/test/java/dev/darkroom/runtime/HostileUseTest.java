package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.optim.AdamW;
import dev.darkroom.runtime.optim.MasterWeights;
import dev.darkroom.runtime.optim.ParameterGroup;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Use that used to end the process, in a JVM of its own where it might again. */
class HostileUseTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "warningsAtTheEndOfTheStack",
                "callsAtTheEndOfTheStack",
                "oneLeafFromSeveralThreads",
                "reshapingWhileOthersRead",
                "segmentsWhileOthersClose",
                "manyNativeThreads",
                "theEndDuringACall"
            })
    void leavesTheProcessAlive(String name, @TempDir Path folder) throws Exception {
        Process child = Child.start(folder, List.of(), HostileUse.class, name);
        boolean ended = child.waitFor(120, TimeUnit.SECONDS);
        child.destroyForcibly();
        assertTrue(ended, "hangs");
        Path output = folder.resolve("output.txt");
        assertEquals(0, child.exitValue(), () -> tail(output));
        // A JVM that is ending anyway may crash and still say 0.
        assertFalse(Files.readString(output).contains("fatal error"), () -> tail(output));
    }

    private static String tail(Path output) {
        try {
            List<String> lines = Files.readAllLines(output);
            return String.join("\n", lines.subList(Math.max(0, lines.size() - 40), lines.size()));
        } catch (java.io.IOException e) {
            return e.toString();
        }
    }

    @Test
    void aSegmentEndsWithItsTensor() {
        MemorySegment closed;
        MemorySegment left;
        ByteBuffer buffer;
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.ones(DType.FLOAT32, 4);
            Tensor view = x.narrow(0, 0, 2);
            closed = x.segment();
            assertEquals(1, closed.getAtIndex(ValueLayout.JAVA_FLOAT, 3));
            x.close();
            assertThrows(
                    IllegalStateException.class,
                    () -> closed.getAtIndex(ValueLayout.JAVA_FLOAT, 3));
            left = view.segment();
            buffer = view.buffer(0, 8);
            assertEquals(1, left.getAtIndex(ValueLayout.JAVA_FLOAT, 1));
        }
        assertThrows(IllegalStateException.class, () -> left.getAtIndex(ValueLayout.JAVA_FLOAT, 0));
        assertThrows(IllegalStateException.class, () -> buffer.getFloat(0));
    }

    @Test
    void aSegmentEndsWhenItsMemoryMoves() {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.ones(DType.FLOAT32, 4);
            MemorySegment before = x.segment();
            Aten.call("add_.Scalar", x, 1);
            assertEquals(2, before.getAtIndex(ValueLayout.JAVA_FLOAT, 0));
            Aten.call("resize_", x, new long[] {100_000});
            assertThrows(
                    IllegalStateException.class,
                    () -> before.getAtIndex(ValueLayout.JAVA_FLOAT, 0));
            assertEquals(2, x.segment().getAtIndex(ValueLayout.JAVA_FLOAT, 0));
        }
    }

    @Test
    void borrowedMemoryIsLookedAfter() throws Exception {
        var scope = TensorScope.open();
        Tensor x;
        Tensor view;
        Tensor own;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, 2, 3, 4);
            x = Tensor.borrow(memory, DType.FLOAT32, Shape.of(4));
            view = x.narrow(0, 1, 2).alias();
            own = x.plus(1);
            assertEquals(5, view.sum().item());
            assertEquals(memory.address(), x.segment().address());
            Thread other =
                    Thread.ofPlatform()
                            .start(
                                    () ->
                                            assertThrows(
                                                    IllegalStateException.class, () -> x.plus(1)));
            other.join();
            var foreign =
                    Thread.ofPlatform()
                            .start(
                                    () ->
                                            assertThrows(
                                                    IllegalStateException.class,
                                                    () ->
                                                            Tensor.borrow(
                                                                    memory,
                                                                    DType.FLOAT32,
                                                                    Shape.of(4))));
            foreign.join();
        }
        for (Tensor gone : List.of(x, view)) {
            assertThrows(IllegalStateException.class, () -> gone.plus(1));
            assertThrows(IllegalStateException.class, gone::toFloatArray);
            assertThrows(IllegalStateException.class, gone::segment);
            assertThrows(IllegalStateException.class, () -> Ops.cat(0, List.of(gone, gone)));
        }
        assertEquals(14, own.sum().item());
        Arena closed = Arena.ofShared();
        MemorySegment memory = closed.allocate(16, 8);
        closed.close();
        assertThrows(
                IllegalStateException.class,
                () -> Tensor.borrow(memory, DType.FLOAT32, Shape.of(4)));
        scope.close();
    }

    @Test
    void anOperatorCannotReachOutsideItsMemory() {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.ones(DType.FLOAT32, 4);
            long[] far = {1L << 61, 1};
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Aten.call("as_strided_", x, new long[] {2, 2}, far));
            assertEquals(Shape.of(4), x.shape());
            assertThrows(
                    IllegalArgumentException.class,
                    () -> Aten.call("as_strided_", x, new long[] {Long.MIN_VALUE, 0}, far));
            var refused =
                    assertThrows(
                            UnsupportedOperationException.class,
                            () -> Aten.call("_reshape_alias", x, new long[] {2, 2}, far));
            assertTrue(refused.getMessage().contains("internal to libtorch"));
            assertThrows(
                    UnsupportedOperationException.class,
                    () -> Aten.call("max_pool2d_with_indices_backward", x));
        }
    }

    @Test
    void whatIsChangedIsReturnedItself() {
        try (var scope = TensorScope.open()) {
            long before = Memory.liveTensors();
            Tensor x = Tensor.ones(DType.FLOAT32, 4);
            assertEquals(List.of(x), Aten.call("add_.Scalar", x, 1));
            assertEquals(List.of(x), Aten.call("add.out", x, x, 1, x));
            assertEquals(before + 1, Memory.liveTensors());
        }
    }

    @Test
    void aClosedScopeTakesNoTensors() {
        TensorScope closed = TensorScope.open();
        closed.close();
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.ones(DType.FLOAT32, 1);
            var error = assertThrows(IllegalStateException.class, () -> closed.adopt(x));
            assertTrue(error.getMessage().contains("closed"), error.getMessage());
            assertThrows(IllegalStateException.class, () -> closed.keep(x));
        }
    }

    @Test
    void foreignCodeLeavesNothing() {
        long before = Memory.liveTensors();
        Mode mode = Mode.current();
        assertThrows(
                ArithmeticException.class,
                () ->
                        ForeignCode.run(
                                () -> {
                                    TensorScope.open();
                                    Mode.GRAD.enter();
                                    TensorScope.open();
                                    Tensor.ones(DType.FLOAT32, 1);
                                    throw new ArithmeticException();
                                }));
        assertEquals(mode, Mode.current());
        assertEquals(before, Memory.liveTensors());
        assertEquals(3, ForeignCode.call(() -> 3));
    }

    @Test
    void whatFailsToBeMadeLeavesNothing() {
        long before = Memory.liveTensors();
        var net = Weights.random(1, DType.BFLOAT16, Device.CPU, w -> new Linear(w, 4, 4, true));
        net.train();
        ParameterGroup group = ParameterGroup.of(net, 1e-3, 0);
        List<ParameterGroup> twice = List.of(group, group);
        long made = Memory.liveTensors();
        assertThrows(
                IllegalArgumentException.class, () -> new AdamW(twice, AdamW.Options.DEFAULTS));
        assertThrows(
                ArithmeticException.class,
                () ->
                        new MasterWeights(
                                List.of(group),
                                groups -> {
                                    throw new ArithmeticException();
                                }));
        assertThrows(
                IllegalStateException.class,
                () ->
                        ForeignCode.run(
                                () ->
                                        Weights.random(
                                                1,
                                                DType.FLOAT32,
                                                Device.CPU,
                                                w -> {
                                                    TensorScope.open(); // and left open
                                                    return new Linear(w, 4, 4, true);
                                                })));
        assertEquals(made, Memory.liveTensors());
        net.close();
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void aClosedOptimizerSaysSo() {
        var net = Weights.random(1, DType.FLOAT32, Device.CPU, w -> new Linear(w, 4, 4, true));
        net.train();
        net.weight().value().setGrad(Tensor.ones(DType.FLOAT32, 4, 4));
        var optimizer = new AdamW(List.of(ParameterGroup.of(net, 1e-3, 0)), AdamW.Options.DEFAULTS);
        net.weight().set(Tensor.ones(DType.FLOAT32, 1, 4).expand(4, 4));
        net.weight().value().setGrad(Tensor.ones(DType.FLOAT32, 4, 4));
        assertThrows(IllegalArgumentException.class, () -> optimizer.step(1));
        net.weight().set(Tensor.ones(DType.FLOAT32, 4, 4));
        net.weight().value().setGrad(Tensor.ones(DType.FLOAT32, 4, 4));
        optimizer.close();
        assertThrows(IllegalStateException.class, () -> optimizer.step(1));
        net.close();
    }

    @Test
    void listenersOfWarningsMayWaitForEachOther() throws Exception {
        var list = new java.util.concurrent.atomic.AtomicReference<Warnings>();
        var warnings =
                Warnings.passedTo(
                        warning -> {
                            var other = Thread.ofPlatform().daemon().start(() -> list.get().list());
                            try {
                                assertTrue(other.join(java.time.Duration.ofSeconds(20)));
                            } catch (InterruptedException e) {
                                throw new IllegalStateException(e);
                            }
                        });
        list.set(warnings);
        warnings.add("one");
        assertEquals(List.of("one"), warnings.list());
    }
}
