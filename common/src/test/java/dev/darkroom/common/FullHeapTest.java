package dev.darkroom.common;

import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.Test;

class FullHeapTest {
    @Test
    void isTheErrorAndNotWhatItIsWrappedIn() {
        var full = new OutOfMemoryError("Java heap space");
        var wrapped = new IllegalArgumentException("Self-suppression not permitted", full);
        for (Throwable e : new Throwable[] {full, wrapped, new AssertionError(wrapped)}) {
            assertSame(full, assertThrows(OutOfMemoryError.class, () -> FullHeap.rethrow(e)));
        }
        FullHeap.rethrow(new AssertionError(new IllegalStateException("closed")));
    }
}
