package dev.darkroom.bench;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Generator;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.Threads;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/** Opens a safetensors file of 1 GiB, which the system has in memory, and sums all its bytes. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 2)
@Measurement(iterations = 5)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class LoadBenchmark {
    private static final int TENSORS = 16;
    private static final long BYTES = 1L << 26;

    @Param({"MAPPED", "READ"})
    LoadMode mode = LoadMode.MAPPED;

    private Path file = Path.of("");

    /** Writes the file: 16 times the same 64 MiB of random bytes. */
    static Path write() throws IOException {
        Path file = Files.createTempFile("darkroom-bench", ".safetensors");
        try (var generator = new Generator(7);
                var bytes = Tensor.randint(0, 256, Shape.of(BYTES), generator, DType.UINT8)) {
            Map<String, Tensor> tensors = new TreeMap<>();
            for (int i = 0; i < TENSORS; i++) {
                tensors.put("weight%02d".formatted(i), bytes);
            }
            SafetensorsWriter.write(file, tensors, Map.of());
        }
        return file;
    }

    static long sum(Path file, LoadMode mode) throws IOException {
        long total = 0;
        try (var checkpoint = Safetensors.open(file, mode)) {
            for (String name : checkpoint.names()) {
                try (var scope = TensorScope.open()) {
                    total += checkpoint.tensor(name).sum().itemLong();
                }
            }
        }
        return total;
    }

    @Setup
    public void writeFile() throws IOException {
        Threads.set(1);
        file = write();
    }

    @Benchmark
    public long loadAndSum() throws IOException {
        return sum(file, mode);
    }

    @TearDown
    public void deleteFile() throws IOException {
        Files.delete(file);
    }
}
