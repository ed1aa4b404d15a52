package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Whatever a monitor does on the pipeline's thread, the pipeline and its pictures are as before.
 */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class MonitorTest {
    private Pipeline pipeline;

    @BeforeEach
    void load() {
        pipeline = load("pixart_alpha");
    }

    @AfterEach
    void close() {
        pipeline.close();
    }

    private static Pipeline load(String name) {
        return Pipeline.load(Cases.named(name).resolve("model"), PipelineOptions.defaults());
    }

    private static SampleRequest request() {
        return SampleRequest.builder()
                .prompt("a cat")
                .steps(2)
                .width(16)
                .height(16)
                .maxTokens(24)
                .binning(false)
                .build();
    }

    private byte[] picture(SampleMonitor monitor) {
        return pipeline.sample(request(), monitor, null).pictures().getFirst().rgb();
    }

    /** A monitor that does something after each evaluation. */
    private static SampleMonitor doing(Runnable something) {
        return new SampleMonitor() {
            @Override
            public void evaluated(int done, int total, Tensor latents, Tensor denoised) {
                something.run();
            }
        };
    }

    @Test
    void cannotWaitForThePipelineThatWaitsForIt() {
        byte[] expected = picture(SampleMonitor.NONE);
        for (Runnable call :
                List.<Runnable>of(() -> pipeline.sample(request()), () -> pipeline.close())) {
            var error = assertThrows(IllegalStateException.class, () -> picture(doing(call)));
            assertTrue(error.getMessage().contains("its own monitor"), error.getMessage());
        }
        assertArrayEquals(expected, picture(SampleMonitor.NONE));
    }

    @Test
    void cannotWaitForItselfAcrossPipelines() {
        try (Pipeline other = load("pixart_alpha")) {
            SampleMonitor back = doing(() -> pipeline.sample(request()));
            SampleMonitor there = doing(() -> other.sample(request(), back, null));
            assertThrows(IllegalStateException.class, () -> picture(there));
            assertEquals(1, other.sample(request()).pictures().size());
            picture(doing(() -> other.sample(request())));
        }
    }

    @Test
    void leavesNoModeBehind() {
        byte[] expected = picture(SampleMonitor.NONE);
        for (Mode mode :
                List.of(
                        Mode.GRAD,
                        Mode.NO_GRAD.withAutocast(Device.Type.CPU, DType.BFLOAT16),
                        Mode.INFERENCE)) {
            assertArrayEquals(expected, picture(doing(mode::enter)));
            assertArrayEquals(expected, picture(SampleMonitor.NONE));
        }
    }

    @Test
    void leavesNoScopeBehind() {
        byte[] expected = picture(SampleMonitor.NONE);
        long before = Memory.liveTensors();
        SampleMonitor leaking =
                new SampleMonitor() {
                    @Override
                    public void evaluated(int done, int total, Tensor latents, Tensor denoised) {
                        TensorScope.open();
                        latents.plus(denoised);
                        throw new ArithmeticException();
                    }

                    @Override
                    public boolean isCancelled() {
                        TensorScope.open();
                        return Tensor.zeros(DType.FLOAT32, 2).isClosed();
                    }
                };
        assertThrows(ArithmeticException.class, () -> picture(leaking));
        assertEquals(before, Memory.liveTensors());
        assertArrayEquals(expected, picture(doing(TensorScope::open)));
        assertArrayEquals(expected, picture(SampleMonitor.NONE));
        assertEquals(before, Memory.liveTensors());
    }

    @Test
    void previewNeedsNoScope() {
        Tensor latents = Tensor.zeros(DType.FLOAT32, 2, 4, 2, 2);
        long before = Memory.liveTensors();
        assertEquals(2, pipeline.preview(latents).size());
        assertEquals(before, Memory.liveTensors());
        latents.close();
    }

    @Test
    void manyMayCloseAPipelineAtOnce() throws Exception {
        List<Future<?>> closers = new ArrayList<>();
        try (var threads = Executors.newFixedThreadPool(8)) {
            for (int i = 0; i < 8; i++) {
                closers.add(threads.submit(pipeline::close));
            }
        }
        for (Future<?> closer : closers) {
            closer.get();
        }
    }
}
