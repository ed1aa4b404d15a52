package dev.darkroom.runtime.safetensors;

import static dev.darkroom.runtime.safetensors.RawFile.entry;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.InScope;
import dev.darkroom.runtime.MemoryBudget;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.nn.Linear;
import dev.darkroom.runtime.nn.Weights;
import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;

@ExtendWith(InScope.class)
class SafetensorsTest {
    @TempDir Path folder;

    private Path save(Map<String, Tensor> tensors) throws IOException {
        var file = folder.resolve("model.safetensors");
        SafetensorsWriter.write(file, tensors, Map.of());
        return file;
    }

    @ParameterizedTest
    @EnumSource(
            value = LoadMode.class,
            names = {"MAPPED", "READ"})
    void tensorsAreThoseOfTheFile(LoadMode mode) throws IOException {
        var a = Tensor.copyOf(new float[] {1, 2, 3, 4, 5, 6}, 2, 3);
        var b = Tensor.copyOf(new long[] {7}, 1);
        var file = save(Map.of("a", a, "b", b));
        try (var checkpoint = Safetensors.open(file, mode)) {
            var loaded = checkpoint.tensor("a");
            assertEquals(DType.FLOAT32, loaded.dtype());
            assertEquals(Shape.of(2, 3), loaded.shape());
            assertTrue(a.contentEquals(loaded));
            assertTrue(b.contentEquals(checkpoint.tensor("b")));
            var error = assertThrows(SafetensorsException.class, () -> checkpoint.tensor("c"));
            assertEquals(Kind.NO_SUCH_TENSOR, error.kind());
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void mappedTensorsLieInsideTheFilesMapping() throws IOException {
        var file = save(Map.of("a", Tensor.ones(DType.FLOAT32, 100, 100)));
        try (var scope = TensorScope.open()) {
            try (var checkpoint = Safetensors.open(file, LoadMode.MAPPED)) {
                var tensor = checkpoint.tensor("a");
                assertTrue(isInMapping(tensor, file));
                assertTrue(isInMapping(checkpoint.tensor("a"), file));
            }
            assertTrue(isMapped(file), "the tensors outlive the checkpoint");
        }
        assertFalse(isMapped(file), "the mapping goes with its last tensor");
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void layersUseTheMappingInPlace() throws IOException {
        var file =
                save(
                        Map.of(
                                "weight", Tensor.ones(DType.FLOAT32, 3, 2),
                                "bias", Tensor.zeros(DType.FLOAT32, 3)));
        try (var checkpoint = Safetensors.open(file, LoadMode.MAPPED)) {
            var source = checkpoint.weights();
            assertEquals(file.toString(), source.name());
            assertEquals(DType.FLOAT32, source.dtype("weight").orElseThrow());
            assertThrows(NoSuchElementException.class, () -> source.shape("absent"));
            try (var linear =
                    Weights.load(source, null, Device.CPU, w -> new Linear(w, 2, 3, true))) {
                assertTrue(isInMapping(linear.weight().value(), file));
                assertArrayEquals(
                        new float[] {3, 3, 3},
                        linear.forward(Tensor.copyOf(new float[] {1, 2}, 2)).toFloatArray());
            }
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void readTensorsDoNot() throws IOException {
        var file = save(Map.of("a", Tensor.ones(DType.FLOAT32, 100, 100)));
        try (var checkpoint = Safetensors.open(file, LoadMode.READ)) {
            assertFalse(isInMapping(checkpoint.tensor("a"), file));
            assertFalse(isMapped(file));
        }
    }

    private static boolean isMapped(Path file) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .anyMatch(line -> line.endsWith(file.toString()));
    }

    private static boolean isInMapping(Tensor tensor, Path file) throws IOException {
        long first = tensor.dataPointer();
        long end = first + tensor.elements() * tensor.dtype().bytes();
        return Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(line -> line.endsWith(file.toString()))
                .map(line -> line.split("[- ]"))
                .anyMatch(
                        range ->
                                Long.parseUnsignedLong(range[0], 16) <= first
                                        && end <= Long.parseUnsignedLong(range[1], 16));
    }

    @Test
    void writingToAMappedTensorLeavesTheFileAlone() throws IOException {
        var file = save(Map.of("a", Tensor.ones(DType.FLOAT32, 4)));
        byte[] before = Files.readAllBytes(file);
        try (var checkpoint = Safetensors.open(file, LoadMode.MAPPED)) {
            var tensor = checkpoint.tensor("a").fillInPlace(5);
            assertArrayEquals(new float[] {5, 5, 5, 5}, tensor.toFloatArray());
        }
        assertArrayEquals(before, Files.readAllBytes(file));
        try (var again = Safetensors.open(file, LoadMode.MAPPED)) {
            assertArrayEquals(new float[] {1, 1, 1, 1}, again.tensor("a").toFloatArray());
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = LoadMode.class,
            names = {"MAPPED", "READ"})
    void tensorsOutliveTheCheckpoint(LoadMode mode) throws IOException {
        var file = save(Map.of("a", Tensor.ones(DType.FLOAT32, 1000)));
        var checkpoint = Safetensors.open(file, mode);
        var tensor = checkpoint.tensor("a");
        checkpoint.close();
        checkpoint.close();
        Files.delete(file);
        assertEquals(1000, tensor.sum().item());
        var error = assertThrows(IllegalStateException.class, () -> checkpoint.tensor("a"));
        assertTrue(error.getMessage().contains("is closed"));
        assertEquals(Shape.of(1000), checkpoint.info("a").shape());
    }

    @Test
    void savingOntoOnesOwnMappingIsSafe() throws IOException {
        var file = save(Map.of("a", Tensor.ones(DType.FLOAT32, 1000)));
        try (var checkpoint = Safetensors.open(file, LoadMode.MAPPED)) {
            var tensor = checkpoint.tensor("a");
            save(Map.of("a", tensor.times(2)));
            assertEquals(1000, tensor.sum().item());
            save(Map.of("a", tensor));
            assertEquals(1000, tensor.sum().item());
        }
        try (var again = Safetensors.open(file, LoadMode.READ)) {
            assertEquals(1000, again.tensor("a").sum().item());
        }
    }

    @Test
    void replacedFileIsNoticedBeforeItIsMapped() throws IOException {
        var file = save(Map.of("a", Tensor.ones(DType.FLOAT32, 10)));
        try (var checkpoint = Safetensors.open(file, LoadMode.MAPPED)) {
            save(Map.of("a", Tensor.zeros(DType.FLOAT32, 10)));
            var error = assertThrows(SafetensorsException.class, () -> checkpoint.tensor("a"));
            assertEquals(Kind.CHANGED, error.kind());
        }
    }

    @Test
    void replacedFileIsStillReadFromTheOldOne() throws IOException {
        var file = save(Map.of("a", Tensor.ones(DType.FLOAT32, 10)));
        try (var checkpoint = Safetensors.open(file, LoadMode.READ)) {
            save(Map.of("a", Tensor.zeros(DType.FLOAT32, 10)));
            assertEquals(10, checkpoint.tensor("a").sum().item());
        }
    }

    @Test
    void shortenedFileIsNoticedWhileReading() throws IOException {
        var file = save(Map.of("a", Tensor.ones(DType.FLOAT32, 10)));
        try (var checkpoint = Safetensors.open(file, LoadMode.READ)) {
            try (var channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                channel.truncate(Files.size(file) - 1);
            }
            var error = assertThrows(SafetensorsException.class, () -> checkpoint.tensor("a"));
            assertEquals(Kind.CHANGED, error.kind());
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = LoadMode.class,
            names = {"MAPPED", "READ"})
    void misalignedTensorsAreCopied(LoadMode mode) throws IOException {
        // 3 bytes of "a" push "b" to an odd place; a header of odd length does so too
        var file = folder.resolve("odd.safetensors");
        var json = "{" + entry("a", "U8", "[3]", 0, 3) + "," + entry("b", "I16", "[2]", 3, 7) + "}";
        Files.write(file, RawFile.of(json, 7));
        try (var checkpoint = Safetensors.open(file, mode)) {
            var b = checkpoint.tensor("b");
            // the data is 0, 1, 0 | 1, 0, 1, 0
            assertArrayEquals(new int[] {1, 1}, b.toIntArray());
            assertEquals(0, b.dataPointer() % 2);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = LoadMode.class,
            names = {"MAPPED", "READ"})
    void dtypesWithoutTensorsAreListedButNotLoaded(LoadMode mode) throws IOException {
        var file = folder.resolve("sub.safetensors");
        var json =
                "{"
                        + entry("four", "F4", "[2]", 0, 1)
                        + ","
                        + entry("six", "F6_E2M3", "[4]", 1, 4)
                        + ","
                        + entry("w", "U8", "[1]", 4, 5)
                        + "}";
        Files.write(file, RawFile.of(json, 5));
        try (var checkpoint = Safetensors.open(file, mode)) {
            assertEquals(SafetensorsDType.F4, checkpoint.info("four").dtype());
            for (var name : List.of("four", "six")) {
                var error = assertThrows(SafetensorsException.class, () -> checkpoint.tensor(name));
                assertEquals(Kind.UNSUPPORTED_DTYPE, error.kind());
                assertEquals(name, error.tensor().orElseThrow());
            }
            assertArrayEquals(new int[] {0}, checkpoint.tensor("w").toIntArray());
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = LoadMode.class,
            names = {"MAPPED", "READ"})
    void boolsAreZeroOrOne(LoadMode mode) throws IOException {
        var file = folder.resolve("bool.safetensors");
        byte[] bytes = RawFile.of("{" + entry("w", "BOOL", "[4]", 0, 4) + "}", 4);
        Files.write(file, bytes);
        try (var checkpoint = Safetensors.open(file, mode)) {
            assertArrayEquals(
                    new boolean[] {false, true, false, true},
                    checkpoint.tensor("w").toBooleanArray());
        }
        bytes[bytes.length - 1] = 2;
        Files.write(file, bytes);
        try (var checkpoint = Safetensors.open(file, mode)) {
            var error = assertThrows(SafetensorsException.class, () -> checkpoint.tensor("w"));
            assertEquals(Kind.INVALID_BOOL, error.kind());
        }
    }

    @Test
    void readingNeedsTheMemoryMappingDoesNot() throws IOException {
        var file = save(Map.of("a", Tensor.ones(DType.FLOAT32, 1000)));
        System.setProperty(MemoryBudget.PROPERTY, "2k");
        try (var read = Safetensors.open(file, LoadMode.READ);
                var mapped = Safetensors.open(file, LoadMode.MAPPED)) {
            var error = assertThrows(SafetensorsException.class, () -> read.tensor("a"));
            assertEquals(Kind.NOT_ENOUGH_MEMORY, error.kind());
            assertTrue(error.getMessage().contains("3.91 KiB"), error.getMessage());
            assertTrue(error.getMessage().contains("2.00 KiB"), error.getMessage());
            assertEquals(1000, mapped.tensor("a").sum().item());
        } finally {
            System.clearProperty(MemoryBudget.PROPERTY);
        }
    }

    @Test
    void weightsLoadedInInferenceModeCanBeTrained() throws IOException {
        var file = save(Map.of("a", Tensor.ones(DType.FLOAT32, 3)));
        try (var checkpoint = Safetensors.open(file, LoadMode.MAPPED)) {
            Tensor weight;
            try (var mode = Mode.INFERENCE.enter()) {
                weight = checkpoint.tensor("a");
            }
            try (var mode = Mode.GRAD.enter()) {
                weight.requiresGrad(true);
                weight.square().sum().backward();
            }
            assertArrayEquals(new float[] {2, 2, 2}, weight.grad().toFloatArray());
        }
    }

    /** A channel would be closed for all threads. */
    @ParameterizedTest
    @EnumSource(
            value = LoadMode.class,
            names = {"MAPPED", "READ"})
    void anInterruptedReaderReads(LoadMode mode) throws Exception {
        var file = save(Map.of("x", Tensor.full(Shape.of(999), 2, DType.FLOAT32, Device.CPU)));
        try (var checkpoint = Safetensors.open(file, mode)) {
            Thread.currentThread().interrupt();
            assertEquals(1998, checkpoint.tensor("x").sum().item());
            assertTrue(Thread.interrupted());
            assertEquals(1998, checkpoint.tensor("x").sum().item());
        }
        Thread.currentThread().interrupt();
        var error =
                assertThrows(
                        InterruptedIOException.class, () -> Safetensors.open(file, LoadMode.READ));
        assertTrue(Thread.interrupted());
        assertTrue(error.getMessage().contains(file.toString()), error.getMessage());
    }

    @ParameterizedTest
    @EnumSource(
            value = LoadMode.class,
            names = {"MAPPED", "READ"})
    void threadsShareACheckpoint(LoadMode mode) throws Exception {
        var tensors =
                Map.of(
                        "0", Tensor.full(Shape.of(999), 0, DType.FLOAT32, Device.CPU),
                        "1", Tensor.full(Shape.of(999), 1, DType.FLOAT32, Device.CPU),
                        "2", Tensor.full(Shape.of(999), 2, DType.FLOAT32, Device.CPU));
        var file = save(tensors);
        try (var checkpoint = Safetensors.open(file, mode);
                var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Double>> sums =
                    IntStream.range(0, 300)
                            .mapToObj(
                                    i ->
                                            threads.submit(
                                                    () -> {
                                                        try (var own = TensorScope.open()) {
                                                            return checkpoint
                                                                    .tensor("" + i % 3)
                                                                    .sum()
                                                                    .item();
                                                        }
                                                    }))
                            .toList();
            for (int i = 0; i < sums.size(); i++) {
                assertEquals(999.0 * (i % 3), sums.get(i).get());
            }
        }
    }

    @Test
    void movedFileIsMissed() throws IOException {
        var file = save(Map.of("a", Tensor.ones(DType.FLOAT32, 3)));
        try (var checkpoint = Safetensors.open(file, LoadMode.MAPPED)) {
            Files.move(file, folder.resolve("elsewhere"), StandardCopyOption.ATOMIC_MOVE);
            var error = assertThrows(SafetensorsException.class, () -> checkpoint.tensor("a"));
            assertEquals(Kind.CHANGED, error.kind());
        }
    }
}
