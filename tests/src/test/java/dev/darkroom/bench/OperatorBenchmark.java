package dev.darkroom.bench;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Ops;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.Threads;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

import java.util.concurrent.TimeUnit;

/** Operators whose results are released at once. Each thread has its own tensors. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 10, time = 1)
@Fork(value = 2, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class OperatorBenchmark {
    private final Tensor a;
    private final Tensor b;
    private final Tensor x;
    private final Tensor weight;
    private final Tensor bias;

    /** Draws the tensors. */
    public OperatorBenchmark() {
        try (var generator = new Generator(7)) {
            a = Tensor.randn(generator, 16, 16);
            b = Tensor.randn(generator, 16, 16);
            x = Tensor.randn(generator, 64, 256);
            weight = Tensor.randn(generator, 256, 256);
            bias = Tensor.zeros(DType.FLOAT32, 256);
        }
    }

    /** One native thread for each of Java's. */
    @Setup
    public void setThreads() {
        Threads.set(1);
    }

    @Benchmark
    public void add() {
        a.plus(b).close();
    }

    @Benchmark
    public void linear() {
        Ops.linear(x, weight, bias).close();
    }

    @Benchmark
    public void reshape() {
        a.reshape(4, 64).close();
    }

    /** Closes the tensors. */
    @TearDown
    public void close() {
        for (Tensor tensor : new Tensor[] {a, b, x, weight, bias}) {
            tensor.close();
        }
    }
}
