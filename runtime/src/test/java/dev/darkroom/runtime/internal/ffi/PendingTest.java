package dev.darkroom.runtime.internal.ffi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.ForeignCode;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;

/** What a call holds and has made is given back although none of its handlers ran. */
class PendingTest {
    private static final Operator NEG = Operator.of("neg", "");
    private static final NativeMode PLAIN = new NativeMode(false, false, -1, 0, null);

    private final long before = TensorHandle.live();

    private static TensorHandle tensor(Arena arena) {
        return Native.fromMemory(arena.allocate(4, 4), new long[] {1}, DType.FLOAT32.code(), 0xff);
    }

    /** Calls and does not say done. */
    private static TensorHandle cutShort(TensorHandle argument) {
        return NEG.call().arg(argument).tensor(PLAIN);
    }

    @Test
    void byTheScopeThatWasOpenedBefore() {
        try (Arena arena = Arena.ofShared()) {
            TensorHandle argument = tensor(arena);
            TensorHandle result;
            try (var scope = TensorScope.open()) {
                result = cutShort(argument);
                assertFalse(result.isClosed());
            }
            assertTrue(result.isClosed());
            argument.close();
            assertEquals(before, TensorHandle.live());
            assertNull(Pending.innermost());
        }
    }

    @Test
    void byTheJobThatCalled() {
        try (Arena arena = Arena.ofShared()) {
            TensorHandle argument = tensor(arena);
            TensorHandle result = ForeignCode.call(() -> cutShort(argument));
            assertTrue(result.isClosed());
            argument.close();
            assertEquals(before, TensorHandle.live());
        }
    }

    @Test
    void byTheCallAroundIt() {
        try (Arena arena = Arena.ofShared()) {
            TensorHandle argument = tensor(arena);
            CallFrame outer = NEG.call().arg(argument);
            TensorHandle kept = outer.tensor(PLAIN);
            TensorHandle lost = cutShort(argument);
            outer.done();
            assertTrue(lost.isClosed());
            kept.close();
            argument.close();
            assertEquals(before, TensorHandle.live());
            assertNull(Pending.innermost());
        }
    }

    @Test
    void butNotWhatWasPendingBefore() {
        try (Arena arena = Arena.ofShared()) {
            TensorHandle argument = tensor(arena);
            CallFrame outer = NEG.call().arg(argument);
            TensorHandle kept = outer.tensor(PLAIN);
            try (var scope = TensorScope.open()) {
                TensorHandle own = NEG.call().arg(argument).tensor(PLAIN);
                assertFalse(own.isClosed());
            }
            assertFalse(kept.isClosed());
            assertSame(outer, Pending.innermost());
            outer.discard();
            assertTrue(kept.isClosed());
            outer.discard(); // finds nothing left
            argument.close();
            assertEquals(before, TensorHandle.live());
        }
    }

    @Test
    void asToHandlesThatAreHeld() {
        try (Arena arena = Arena.ofShared()) {
            TensorHandle argument = tensor(arena);
            var _ = new Native.Held(argument);
            Pending.undoSince(null);
            argument.close(); // in use by nobody
            assertEquals(before, TensorHandle.live());
            assertNull(Pending.innermost());
        }
    }
}
