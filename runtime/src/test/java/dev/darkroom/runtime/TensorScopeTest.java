package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.libtorch.LibtorchException;

import org.junit.jupiter.api.Test;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

class TensorScopeTest {
    private final long before = Memory.liveTensors();

    private static Tensor make() {
        return Tensor.zeros(DType.FLOAT32, 4);
    }

    @Test
    void closesWhatItOwnsAndNothingElse() {
        Tensor mine = make();
        Tensor kept;
        try (var outer = TensorScope.open()) {
            Tensor inOuter = make();
            Tensor lost;
            try (var inner = TensorScope.open()) {
                lost = make();
                kept = inner.keep(make());
                inner.keep(inOuter);
                assertEquals(before + 4, Memory.liveTensors());
            }
            assertTrue(lost.isClosed());
            assertFalse(kept.isClosed());
            assertEquals(before + 3, Memory.liveTensors());
        }
        assertTrue(kept.isClosed());
        assertFalse(mine.isClosed());
        mine.close();
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void keepFromTheOutermostScopeHandsOver() {
        Tensor kept;
        Tensor detached;
        try (var scope = TensorScope.open()) {
            kept = scope.keep(make());
            detached = TensorScope.detach(make());
            scope.adopt(kept);
            scope.keep(kept);
        }
        kept.close();
        detached.close();
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void forgetsTensorsThatAreClosedEarly() {
        try (var scope = TensorScope.open()) {
            for (int i = 0; i < 10_000; i++) {
                make().close();
            }
            assertEquals(before, Memory.liveTensors());
        }
    }

    @Test
    void useAfterCloseAndDoubleCloseAreExceptions() {
        Tensor x = make();
        x.close();
        String used = "the tensor was used after it was closed";
        assertEquals(used, assertThrows(IllegalStateException.class, x::exp).getMessage());
        assertEquals(used, assertThrows(IllegalStateException.class, x::shape).getMessage());
        assertEquals(used, assertThrows(IllegalStateException.class, x::dataPointer).getMessage());
        assertEquals(
                "the tensor was closed twice",
                assertThrows(IllegalStateException.class, x::close).getMessage());
        try (var scope = TensorScope.open()) {
            assertThrows(IllegalStateException.class, () -> scope.keep(x));
        }
        assertEquals("closed tensor", x.toString());
    }

    @Test
    void aFailedCallReleasesItsArguments() {
        try (var scope = TensorScope.open()) {
            Tensor x = make();
            Tensor closed = make();
            closed.close();
            assertThrows(IllegalStateException.class, () -> x.plus(closed));
            assertThrows(LibtorchException.class, () -> x.expand(3));
            assertThrows(NullPointerException.class, () -> x.plus((Tensor) null));
            x.close();
            assertEquals(before, Memory.liveTensors());
        }
    }

    @Test
    void aScopeClosesThoseInsideItToo() {
        long before = Memory.liveTensors();
        var outer = TensorScope.open();
        TensorScope.open();
        Tensor.zeros(Shape.of(2), DType.FLOAT32, Device.CPU);
        assertThrows(IllegalStateException.class, outer::close);
        assertEquals(before, Memory.liveTensors());
        outer.close();
    }

    @Test
    void scopesCloseInOrderOnTheirThread() throws Exception {
        var outer = TensorScope.open();
        var inner = TensorScope.open();
        assertThrows(IllegalStateException.class, outer::close);
        var elsewhere =
                assertThrows(
                        ExecutionException.class,
                        () -> CompletableFuture.runAsync(inner::close).get());
        assertEquals(IllegalStateException.class, elsewhere.getCause().getClass());
        inner.close();
        outer.close();
        outer.close();
    }

    /** A matrix product is in progress on another thread while its argument is closed here. */
    @Test
    void closeDuringACallIsAnExceptionAndNeverACrash() throws Exception {
        int refused = 0;
        for (int i = 0; i < 20; i++) {
            Tensor big = Tensor.ones(DType.FLOAT32, 1024, 1024);
            var started = new CountDownLatch(1);
            var product =
                    CompletableFuture.supplyAsync(
                            () -> {
                                started.countDown();
                                try (var scope = TensorScope.open()) {
                                    return scope.keep(big.matmul(big).matmul(big));
                                }
                            });
            assertTrue(started.await(10, TimeUnit.SECONDS));
            Thread.sleep(i % 5);
            try {
                big.close();
            } catch (IllegalStateException e) {
                assertTrue(e.getMessage().contains("in use by a call on another thread"));
                refused++;
            }
            try {
                product.get().close();
            } catch (ExecutionException e) {
                assertEquals("the tensor was used after it was closed", e.getCause().getMessage());
            }
            if (!big.isClosed()) {
                big.close();
            }
        }
        assertTrue(refused > 0, "no close came during a call");
        assertLiveEventually(before);
    }

    /** A scope that closes while another thread still computes frees the tensor afterwards. */
    @Test
    void scopeCloseDuringACallFreesAfterwards() throws Exception {
        for (int i = 0; i < 10; i++) {
            var started = new CountDownLatch(1);
            CompletableFuture<Tensor> product;
            try (var scope = TensorScope.open()) {
                Tensor big = Tensor.ones(DType.FLOAT32, 768, 768);
                product =
                        CompletableFuture.supplyAsync(
                                () -> {
                                    started.countDown();
                                    return big.matmul(big);
                                });
                assertTrue(started.await(10, TimeUnit.SECONDS));
                Thread.sleep(i % 3);
            }
            try {
                product.get().close();
            } catch (ExecutionException e) {
                assertEquals(IllegalStateException.class, e.getCause().getClass());
            }
        }
        assertLiveEventually(before);
    }

    private static void assertLiveEventually(long expected) throws InterruptedException {
        for (int i = 0; i < 100 && Memory.liveTensors() != expected; i++) {
            Thread.sleep(20);
        }
        assertEquals(expected, Memory.liveTensors());
    }
}
