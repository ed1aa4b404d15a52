package dev.darkroom.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.darkroom.models.pipeline.CancelledException;
import dev.darkroom.models.pipeline.Pipeline;
import dev.darkroom.models.pipeline.PipelineException;
import dev.darkroom.models.pipeline.PipelineOptions;
import dev.darkroom.models.pipeline.SampleMonitor;
import dev.darkroom.models.pipeline.SampleRequest;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.libtorch.LibtorchException;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Requests from 8 threads and from up to 1,000 virtual ones, whose monitors do what they must not
 * with the thread, the pipeline and the tensors that they are given: {@code
 * -Ddarkroom.attack.monitors=10000} for more requests, {@code -Ddarkroom.attack.seed=7} for others.
 */
class MonitorMisuseTest {
    private static final int REQUESTS = Integer.getInteger("darkroom.attack.monitors", 120);
    private static final long SEED = Long.getLong("darkroom.attack.seed", 1);

    private final Queue<Throwable> wrong = new ConcurrentLinkedQueue<>();
    private final Map<String, AtomicInteger> outcomes = new ConcurrentHashMap<>();

    /** Tensors that monitors took out of the pipeline's scopes, for other threads to use. */
    private final Queue<Tensor> stolen = new ConcurrentLinkedQueue<>();

    @ParameterizedTest
    @ValueSource(ints = {8, 1000})
    void anyMonitorLeavesThePipelineAsItWas(int threads) throws InterruptedException {
        try (Pipeline pipeline = load();
                Pipeline other = load()) {
            byte[] expected = picture(pipeline);
            picture(other);
            long tensors = Memory.liveTensors();
            long bytes = Memory.liveBytes();
            var left = new AtomicInteger(REQUESTS);
            Thread.Builder builder = threads > 8 ? Thread.ofVirtual() : Thread.ofPlatform();
            List<Thread> all = new ArrayList<>();
            new SplittableRandom(SEED)
                    .longs(Math.min(threads, REQUESTS))
                    .mapToObj(Random::new)
                    .map(
                            random ->
                                    builder.start(
                                            () -> {
                                                while (left.getAndDecrement() > 0) {
                                                    request(pipeline, other, expected, random);
                                                }
                                            }))
                    .forEach(all::add);
            for (Thread thread : all) {
                if (!thread.join(Duration.ofMinutes(5 + REQUESTS / 100))) {
                    throw new AssertionError("hangs");
                }
            }
            assertArrayEquals(expected, picture(pipeline));
            assertArrayEquals(expected, picture(other));
            stolen.forEach(TensorScope::release);
            stolen.clear();
            System.out.println(threads + " threads, seed " + SEED + ": " + new TreeMap<>(outcomes));
            wrong.forEach(Throwable::printStackTrace);
            assertEquals(List.of(), List.copyOf(wrong));
            assertEquals(tensors, Memory.liveTensors());
            assertEquals(bytes, Memory.liveBytes());
        }
    }

    private static Pipeline load() {
        return Pipeline.load(
                Cases.named("pixart_alpha").resolve("model"), PipelineOptions.defaults());
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

    private static byte[] picture(Pipeline pipeline) {
        return pipeline.sample(request()).pictures().getFirst().rgb();
    }

    private void request(Pipeline pipeline, Pipeline other, byte[] expected, Random random) {
        String outcome = "returned";
        if (random.nextInt(4) == 0) {
            try {
                assertArrayEquals(expected, picture(pipeline));
            } catch (Throwable e) {
                wrong.add(e);
            }
        }
        try (var scope = TensorScope.open()) {
            var monitor = new Hostile(pipeline, other, random, Thread.currentThread());
            pipeline.sample(request(), monitor, latents(random));
        } catch (PipelineException
                | CancelledException
                | IllegalStateException
                | IllegalArgumentException
                | UnsupportedOperationException
                | LibtorchException
                | Foreign e) {
            outcome = e.getClass().getSimpleName();
        } catch (Throwable e) {
            wrong.add(e);
        } finally {
            Thread.interrupted();
        }
        outcomes.computeIfAbsent(outcome, key -> new AtomicInteger()).incrementAndGet();
    }

    private static @Nullable Tensor latents(Random random) {
        Tensor fitting = Tensor.zeros(DType.FLOAT32, 1, 4, 8, 8);
        return switch (random.nextInt(16)) {
            case 0 -> fitting;
            case 1 -> fitting.dividedBy(0);
            case 2 -> Tensor.zeros(DType.INT64, 1, 4, 8, 8);
            case 3 -> Tensor.zeros(DType.FLOAT32, 2, 4);
            case 4 -> {
                fitting.close();
                yield fitting;
            }
            default -> null;
        };
    }

    /** What a monitor throws. */
    private static final class Foreign extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    /** Does one thing or another in each of its methods. */
    private final class Hostile implements SampleMonitor {
        private final Pipeline own;
        private final Pipeline other;
        private final Random random;
        private final Thread caller;

        Hostile(Pipeline own, Pipeline other, Random random, Thread caller) {
            this.own = own;
            this.other = other;
            this.random = random;
            this.caller = caller;
        }

        @Override
        public void evaluated(int done, int total, Tensor latents, Tensor denoised) {
            misuse(random.nextBoolean() ? latents : denoised);
        }

        @Override
        public void traced(String name, Tensor value) {
            if (random.nextInt(6) == 0) {
                misuse(value);
            }
        }

        @Override
        public boolean traces() {
            leave();
            return random.nextBoolean();
        }

        @Override
        public boolean isCancelled() {
            leave();
            return random.nextInt(20) == 0;
        }

        /** Leaves something on the pipeline's thread. */
        private void leave() {
            switch (random.nextInt(32)) {
                case 0 -> TensorScope.open();
                case 1 -> Mode.GRAD.enter();
                case 2 -> Mode.NO_GRAD.withAutocast(Device.Type.CPU, DType.BFLOAT16).enter();
                case 3 -> Thread.currentThread().interrupt();
                case 4 -> caller.interrupt();
                case 5 -> throw new Foreign();
                default -> Tensor.ones(DType.FLOAT32, 4);
            }
        }

        private void misuse(Tensor given) {
            switch (random.nextInt(16)) {
                case 0 -> given.close();
                case 1 -> given.fillInPlace(1e30);
                case 2 -> stolen.add(TensorScope.detach(given));
                case 3 -> stolen.add(TensorScope.detach(given.alias()));
                case 4 -> elsewhere(given);
                case 5 -> own.sample(request());
                case 6 -> own.close();
                case 7 -> other.sample(request());
                case 8 -> own.preview(given);
                case 9 -> own.preview(Tensor.ones(DType.FLOAT32, random.nextInt(3), 4, 8, 8));
                case 10 -> own.preview(given.transpose(0, given.rank() - 1).to(DType.INT64));
                case 11 -> other.preview(given);
                default -> leave();
            }
        }

        /** Uses tensors on another thread, which goes on when this monitor has returned. */
        private void elsewhere(Tensor given) {
            Tensor earlier = stolen.poll();
            if (earlier != null) {
                stolen.add(earlier);
            }
            Thread.ofVirtual()
                    .start(
                            () -> {
                                try (var scope = TensorScope.open()) {
                                    for (Tensor each : new Tensor[] {given, earlier}) {
                                        if (each != null) {
                                            each.plus(1);
                                            TimeUnit.MILLISECONDS.sleep(1);
                                            each.timesInPlace(3);
                                            own.preview(each);
                                        }
                                    }
                                } catch (RuntimeException | InterruptedException e) {
                                    // closed by now, or in use
                                }
                            });
        }
    }
}
