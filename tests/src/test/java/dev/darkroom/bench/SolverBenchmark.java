package dev.darkroom.bench;

import dev.darkroom.models.diffusion.Denoised;
import dev.darkroom.models.diffusion.Denoiser;
import dev.darkroom.models.diffusion.SamplingPlan;
import dev.darkroom.models.diffusion.SeededNoise;
import dev.darkroom.models.diffusion.StepListener;
import dev.darkroom.models.diffusion.diffusers.Scheduler;
import dev.darkroom.models.family.pixart.PixArtConfig;
import dev.darkroom.models.family.pixart.PixArtText;
import dev.darkroom.models.family.pixart.PixArtTransformer;
import dev.darkroom.models.pipeline.EmbeddedModel;
import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Threads;
import dev.darkroom.runtime.nn.Weights;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * A step of a solver without its network, on latents of the embedded model, and beside it an
 * evaluation of a network of the embedded teacher's size, with random weights.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class SolverBenchmark {
    private static final int STEPS = 20;
    private static final Shape LATENTS = Shape.of(1, 4, 16, 16);

    /** A run of a sampler. */
    @State(Scope.Thread)
    public static class Run {
        @Param({"euler", "euler-a", "heun", "ddim", "dpm++2m", "unipc", "sa-solver", "pc"})
        private String sampler = "euler";

        private SamplingPlan plan;
        private SeededNoise noise;
        private Tensor start;
        private Tensor x0;
        private Denoiser denoiser;

        /** Reads the teacher's scheduler as another. */
        @Setup
        public void prepare() throws IOException {
            Threads.set(1);
            Path config = EmbeddedModel.TEACHER.folder().resolve("scheduler/scheduler_config.json");
            plan = Scheduler.read(config, sampler).plan(STEPS);
            noise = new SeededNoise(1, 1);
            start = noise.draw(LATENTS, DType.FLOAT32, Device.CPU);
            x0 = noise.draw(LATENTS, DType.FLOAT32, Device.CPU);
            denoiser = (x, at) -> new Denoised(x0.alias());
        }

        /** Closes the tensors. */
        @TearDown
        public void close() {
            start.close();
            x0.close();
            noise.close();
        }
    }

    @Benchmark
    @OperationsPerInvocation(STEPS)
    public void step(Run run) {
        run.plan.sample(run.denoiser, run.start, run.noise, StepListener.NONE).close();
    }

    /** A network of the embedded teacher's size. */
    @State(Scope.Thread)
    public static class Teacher {
        private PixArtTransformer network;
        private PixArtText text;
        private Tensor latents;
        private Tensor timestep;
        private TensorScope scope;

        /** Draws its weights. */
        @Setup
        public void prepare() throws IOException {
            Threads.set(1);
            scope = TensorScope.open();
            Path file = EmbeddedModel.TEACHER.folder().resolve("transformer/config.json");
            PixArtConfig config = PixArtConfig.read(file);
            network =
                    Weights.random(
                            0, DType.FLOAT32, Device.CPU, w -> new PixArtTransformer(w, config));
            try (var generator = new Generator(0)) {
                latents = Tensor.randn(LATENTS, generator, DType.FLOAT32, Device.CPU);
                Tensor states = Tensor.randn(generator, 1, 24, 192);
                text = network.prepare(states, null);
            }
            timestep = Tensor.full(Shape.of(1), 500, DType.FLOAT32, Device.CPU);
        }

        /** Closes the tensors. */
        @TearDown
        public void close() {
            network.close();
            scope.close();
        }
    }

    @Benchmark
    public void evaluation(Teacher teacher) {
        teacher.network.forward(teacher.latents, teacher.timestep, teacher.text, null).close();
    }
}
