package dev.darkroom.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

class VirtualThreadTest {
    /** libtorch's own thread-locals would be lost at the sleep, when the carrier changes. */
    @Test
    void modesAndScopesSurviveBlocking() throws Exception {
        long before = Memory.liveTensors();
        List<Future<?>> tasks = new ArrayList<>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 500; i++) {
                boolean record = i % 2 == 0;
                tasks.add(threads.submit(() -> check(record)));
            }
            for (Future<?> task : tasks) {
                task.get();
            }
        }
        assertEquals(before, Memory.liveTensors());
    }

    private static Void check(boolean record) throws InterruptedException {
        try (var scope = TensorScope.open();
                var mode = (record ? Mode.GRAD : Mode.NO_GRAD).enter()) {
            Tensor x = Tensor.ones(DType.FLOAT32, 3).requiresGrad(true);
            for (int i = 0; i < 3; i++) {
                Thread.sleep(1);
                assertEquals(record, x.times(2).requiresGrad());
            }
        }
        return null;
    }

    @Test
    void autocastTravelsWithTheCall() throws Exception {
        try (var scope = TensorScope.open()) {
            Tensor x = Tensor.ones(DType.FLOAT32, 4, 4);
            try (var mode = Mode.NO_GRAD.withAutocast(Device.Type.CPU, DType.BFLOAT16).enter()) {
                assertEquals(DType.BFLOAT16, x.matmul(x).dtype());
                assertEquals(DType.FLOAT32, onOtherThread(x));
            }
            assertEquals(DType.FLOAT32, x.matmul(x).dtype());
            try (var mode = Mode.INFERENCE.enter()) {
                assertFalse(Mode.current().recordsGradients());
                assertTrue((boolean) Aten.call("is_inference", x.plus(1)).getFirst());
            }
        }
    }

    private static DType onOtherThread(Tensor x) throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            return threads.submit(
                            () -> {
                                try (var scope = TensorScope.open()) {
                                    return x.matmul(x).dtype();
                                }
                            })
                    .get();
        }
    }
}
