package dev.darkroom.runtime.internal.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;

/** No call is given a handle that it does not hold: one that is closed is an exception. */
class HeldHandlesTest {
    private static final Operator NEG = Operator.of("neg", "");
    private static final Operator CAT = Operator.of("cat", "");

    private static ObjectHandle closed(String noun) {
        var handle = new ObjectHandle(8, noun, address -> {});
        handle.close();
        return handle;
    }

    private static void assertClosed(String noun, Executable call) {
        var error = assertThrows(IllegalStateException.class, call);
        assertEquals("the " + noun + " was used after it was closed", error.getMessage());
    }

    @Test
    void ofStreamsGeneratorsEventsAndTensors() {
        try (Arena arena = Arena.ofShared()) {
            var plain = new NativeMode(false, false, -1, 0, null);
            var streaming = new NativeMode(true, false, -1, 0, closed("stream"));
            TensorHandle open =
                    Native.fromMemory(
                            arena.allocate(4, 4), new long[] {1}, DType.FLOAT32.code(), 0xff);
            TensorHandle gone = Native.retain(open);
            gone.close();
            List<TensorHandle> outputs = List.of(open);
            List<TensorHandle> ones = Arrays.asList((TensorHandle) null);

            assertClosed("stream", () -> NEG.call().arg(open).tensor(streaming));
            assertClosed("stream", () -> Native.backward(outputs, ones, false, false, streaming));
            assertClosed(
                    "stream",
                    () -> Native.gradients(outputs, ones, outputs, false, false, true, streaming));
            assertClosed("stream", () -> Native.synchronizeStream(closed("stream")));
            assertClosed(
                    "stream",
                    () ->
                            Native.recordEvent(
                                    new ObjectHandle(8, "event", address -> {}), closed("stream")));
            assertClosed("event", () -> Native.synchronizeEvent(closed("event")));
            assertClosed("event", () -> Native.elapsedMillis(closed("event"), closed("event")));
            assertClosed("generator", () -> Native.seed(closed("generator"), 1));
            assertClosed("generator", () -> Native.generatorState(closed("generator")));
            assertClosed(
                    "generator", () -> NEG.call().generator(closed("generator")).tensor(plain));
            assertClosed("tensor", () -> NEG.call().arg(gone).tensor(plain));
            assertClosed("tensor", () -> CAT.call().tensors(List.of(open, gone)).tensor(plain));
            assertClosed(
                    "tensor",
                    () -> Native.backward(List.of(open, gone), ones, false, false, plain));
            assertClosed(
                    "tensor",
                    () ->
                            Native.gradients(
                                    outputs, ones, List.of(gone), false, false, true, plain));
            assertClosed("tensor", () -> Native.setGrad(open, gone));
            assertClosed("tensor", () -> Native.grad(gone));
            assertClosed("tensor", () -> Native.setRequiresGrad(gone, true));
            assertClosed("tensor", () -> Native.retain(gone));
            assertClosed("tensor", () -> Native.toDlpack(gone));
            assertClosed("tensor", () -> Native.segment(gone));
            assertClosed("tensor", () -> Native.storage(gone));
            // all of them have let go of what was open
            open.close();
            assertTrue(open.isClosed());
        }
    }

    /** Another thread's call is a hold. */
    @Test
    void aTensorIsNotChangedWhileItIsUsed() {
        var plain = new NativeMode(false, false, -1, 0, null);
        var recording = new NativeMode(true, false, -1, 0, null);
        Operator own = Operator.of("mul_", "Tensor");
        Operator any = Operator.find("mul_", "Tensor");
        try (Arena arena = Arena.ofShared()) {
            TensorHandle x =
                    Native.fromMemory(
                            arena.allocate(4, 4), new long[] {1}, DType.FLOAT32.code(), 0xff);
            own.call().arg(x).arg(x).invoke(recording);
            any.call().arg(x).arg(x).invoke(plain);
            x.hold();
            own.call().arg(x).arg(x).invoke(plain); // keeps its shape and memory
            for (CallFrame call : List.of(own.call(), any.call())) {
                var error =
                        assertThrows(
                                IllegalStateException.class,
                                () -> call.arg(x).arg(x).invoke(recording));
                assertTrue(error.getMessage().contains("can't be changed"), error.getMessage());
            }
            x.release();
            x.seize();
            for (Executable use :
                    List.<Executable>of(
                            () -> NEG.call().arg(x).tensor(plain), x::seize, x::close)) {
                assertThrows(IllegalStateException.class, use);
            }
            x.abandon();
            assertThrows(IllegalStateException.class, x::hold);
            long before = TensorHandle.live();
            x.unseize();
            assertEquals(before - 1, TensorHandle.live());
        }
    }
}
