package dev.darkroom.runtime;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;

/** What must not end a JVM, each in one of its own: {@code HostileUse NAME}. */
final class HostileUse {
    private static final long SECONDS = 3;

    private HostileUse() {}

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "warningsAtTheEndOfTheStack" -> warningsAtTheEndOfTheStack();
            case "callsAtTheEndOfTheStack" -> callsAtTheEndOfTheStack();
            case "oneLeafFromSeveralThreads" -> oneLeafFromSeveralThreads();
            case "reshapingWhileOthersRead" -> reshapingWhileOthersRead();
            case "segmentsWhileOthersClose" -> segmentsWhileOthersClose();
            case "manyNativeThreads" -> manyNativeThreads();
            case "theEndDuringACall" -> theEndDuringACall();
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static void warningsAtTheEndOfTheStack() {
        Tensor one = Tensor.ones(DType.FLOAT32, 1);
        one.variance(1, false, 0).close();
        for (int i = 0; i < 3; i++) {
            toTheEnd(() -> one.variance(1, false, 0).close());
        }
    }

    private static void callsAtTheEndOfTheStack() throws InterruptedException {
        Tensor x = Tensor.ones(DType.FLOAT32, 1, 8, 16, 16);
        Tensor w = Tensor.ones(DType.FLOAT32, 8, 8, 3, 3);
        Tensor q = Tensor.ones(DType.BFLOAT16, 1, 2, 64, 32);
        Runnable calls =
                () -> {
                    toTheEnd(() -> Ops.conv2d(x, w, null, 1, 1, 1).close());
                    toTheEnd(() -> Ops.attention(q, q, q, null, null).close());
                    toTheEnd(() -> q.matmul(q.transpose(2, 3)).close());
                    toTheEnd(() -> Aten.tensor("linalg_inv", x).close());
                    toTheEnd(HostileUse::pass);
                };
        // The JVM gives a class up for good whose first use is at the end of the stack.
        Ops.conv2d(x, w, null, 1, 1, 1).close();
        Ops.attention(q, q, q, null, null).close();
        q.matmul(q.transpose(2, 3)).close();
        Aten.tensor("linalg_inv", Tensor.eye(3, DType.FLOAT32, Device.CPU)).close();
        pass();
        try {
            q.matmul(x);
        } catch (IllegalArgumentException e) {
            calls.run();
        }
        for (long stack : new long[] {1 << 18, 1 << 20, 1 << 23}) {
            var thread = new Thread(null, calls, "small", stack);
            thread.start();
            thread.join();
        }
        var virtual = Thread.ofVirtual().start(calls);
        virtual.join();
    }

    private static void pass() {
        try (var scope = TensorScope.open();
                var mode = Mode.GRAD.enter()) {
            Tensor.ones(DType.FLOAT32, 4, 4).requiresGrad(true).square().sum().backward();
        }
    }

    /**
     * Calls with ever more of the stack left, from its end on.
     *
     * @return the frames between this one and the end
     */
    @SuppressWarnings("InfiniteRecursion") // that is what ends the stack
    private static int toTheEnd(Runnable call) {
        int left;
        try {
            left = toTheEnd(call);
        } catch (StackOverflowError e) {
            left = 0;
        }
        if (left % 8 == 0 && left < 4000) {
            try {
                call.run();
            } catch (RuntimeException | StackOverflowError | AssertionError e) {
                // fine; the bindings wrap an error of the stack into an AssertionError
            }
        }
        return left + 1;
    }

    private static void oneLeafFromSeveralThreads() throws Exception {
        Tensor leaf = Tensor.ones(DType.FLOAT32, 64).requiresGrad(true);
        List<Runnable> uses =
                List.of(
                        () -> {
                            try (var mode = Mode.GRAD.enter()) {
                                leaf.square().sum().backward();
                            }
                        },
                        () -> leaf.setGrad(null),
                        () -> leaf.setGrad(Tensor.ones(DType.FLOAT32, 64)),
                        () -> {
                            Tensor grad = leaf.grad();
                            if (grad != null) {
                                grad.timesInPlace(0.5);
                            }
                        },
                        () -> leaf.detach().plusInPlace(leaf, 0.1));
        together(uses);
        leaf.setGrad(null);
        leaf.close();
    }

    private static void reshapingWhileOthersRead() throws Exception {
        var shared = new AtomicReference<>(Tensor.ones(DType.FLOAT32, 1 << 18));
        Runnable read = () -> shared.get().plus(1).sum().item();
        Runnable resize =
                () -> {
                    Tensor fresh = TensorScope.detach(Tensor.ones(DType.FLOAT32, 1 << 18));
                    Tensor before = shared.getAndSet(fresh);
                    try {
                        Aten.call("resize_", fresh, new long[] {1 << 20});
                        Aten.call("resize_", fresh, new long[] {10});
                        Aten.call("resize_", fresh, new long[] {1 << 21});
                    } finally {
                        closeWhenUnused(before);
                    }
                };
        Runnable share =
                () -> {
                    Tensor view = shared.get().detach();
                    view.sum().item();
                    shared.get().toFloatArray();
                };
        together(List.of(read, resize, share, resize));
        shared.get().close();
    }

    private static void closeWhenUnused(Tensor tensor) {
        while (!tensor.isClosed()) {
            try {
                tensor.close();
            } catch (IllegalStateException e) {
                Thread.onSpinWait();
            }
        }
    }

    private static void segmentsWhileOthersClose() throws Exception {
        Runnable life =
                () -> {
                    Tensor tensor = Tensor.ones(DType.FLOAT32, 1 << 16);
                    var segment = tensor.segment();
                    var other = Thread.ofVirtual().start(tensor::close);
                    try {
                        while (true) {
                            segment.fill((byte) 1);
                        }
                    } catch (IllegalStateException e) {
                        // closed
                    }
                    try {
                        other.join();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                    if (!tensor.isClosed()) {
                        tensor.close();
                    }
                };
        together(List.of(life, life));
    }

    private static void manyNativeThreads() {
        for (int count : new int[] {10_000, 0, -1, Integer.MAX_VALUE}) {
            try {
                Threads.set(count);
                throw new AssertionError(count + " was accepted");
            } catch (IllegalArgumentException e) {
                Tensor.ones(DType.FLOAT32, 1 << 20).sum().close();
            }
        }
    }

    /** The process ends while a convolution and its gradient, a second of work, are computed. */
    private static void theEndDuringACall() throws InterruptedException {
        var begun = new CountDownLatch(3);
        Thread.ofPlatform()
                .daemon()
                .start(
                        () -> {
                            Threads.set(1);
                            try (var mode = Mode.current().withGradients(true).enter()) {
                                Tensor x = Tensor.ones(DType.FLOAT32, 1, 64, 512, 512);
                                Tensor w = Tensor.ones(DType.FLOAT32, 64, 64, 3, 3);
                                w.requiresGrad(true);
                                while (true) {
                                    try (var scope = TensorScope.open()) {
                                        Tensor loss = Ops.conv2d(x, w, null, 1, 1, 1).mean();
                                        begun.countDown();
                                        loss.backward();
                                    }
                                }
                            }
                        });
        begun.await();
        Thread.sleep(100);
        System.exit(0);
    }

    /** Runs code in threads of its own, again and again, and finds no tensor left. */
    private static void together(List<Runnable> code) throws Exception {
        long before = Memory.liveTensors();
        long end = System.nanoTime() + SECONDS * 1_000_000_000;
        List<Future<@Nullable Void>> running = new ArrayList<>();
        try (var threads = Executors.newFixedThreadPool(code.size())) {
            for (Runnable each : code) {
                running.add(
                        threads.submit(
                                () -> {
                                    while (System.nanoTime() < end) {
                                        try (var scope = TensorScope.open()) {
                                            each.run();
                                        } catch (RuntimeException e) {
                                            // an exception is fine
                                        }
                                    }
                                    return null;
                                }));
            }
        }
        for (Future<?> each : running) {
            try {
                each.get();
            } catch (ExecutionException e) {
                throw new AssertionError(Arrays.toString(e.getStackTrace()), e);
            }
        }
        if (Memory.liveTensors() != before) {
            throw new AssertionError(Memory.liveTensors() + " tensors live, not " + before);
        }
    }
}
