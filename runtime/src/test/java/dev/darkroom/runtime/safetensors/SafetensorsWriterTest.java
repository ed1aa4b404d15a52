package dev.darkroom.runtime.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.InScope;
import dev.darkroom.runtime.Memory;
import dev.darkroom.runtime.Mode;
import dev.darkroom.runtime.Shape;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.WeightSource;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

@ExtendWith(InScope.class)
class SafetensorsWriterTest {
    @TempDir Path folder;

    /** The tensors of tests/oracle/make_safetensors.py. */
    private static Tensor tensor(String dtype, long... shape) {
        var type = SafetensorsDType.valueOf(dtype);
        int bytes = type.bits() / 8;
        for (long size : shape) {
            bytes *= (int) size;
        }
        var data = new byte[bytes];
        for (int i = 0; i < bytes; i++) {
            data[i] = (byte) (dtype.equals("BOOL") ? i % 2 : 3 + 7 * i);
        }
        return Tensor.copyOf(data, bytes).viewAs(type.tensorType().orElseThrow()).reshape(shape);
    }

    private static Map<String, Tensor> dtypes() {
        var tensors = new HashMap<String, Tensor>();
        for (var dtype : SafetensorsDType.values()) {
            if (dtype.tensorType().isPresent()) {
                tensors.put("block." + dtype, tensor(dtype.name(), 2, 3));
            }
        }
        return tensors;
    }

    private static Map<String, Tensor> shapes() {
        var tensors = new HashMap<String, Tensor>();
        tensors.put("scalar", tensor("F32"));
        tensors.put("scalar.bool", tensor("BOOL"));
        tensors.put("empty", tensor("F16", 0, 4));
        tensors.put("empty.last", tensor("U8", 3, 0));
        tensors.put("odd", tensor("U8", 5));
        tensors.put("half", tensor("BF16", 3));
        tensors.put("", tensor("I8", 1));
        tensors.put("名前.😀.weight", tensor("F32", 2));
        tensors.put("\uffff", tensor("F32", 1));
        tensors.put("😀", tensor("F32", 1));
        tensors.put(
                "quote \" backslash \\ tab \t newline \n bell \u0007 delete \u007f slash /",
                tensor("F32", 1));
        return tensors;
    }

    private static Path golden(String name) {
        return Path.of("src/test/resources/dev/darkroom/runtime/safetensors").resolve(name);
    }

    private void assertWritesGolden(
            String name, Map<String, Tensor> tensors, Map<String, String> metadata)
            throws IOException {
        var file = folder.resolve(name);
        SafetensorsWriter.write(file, tensors, metadata);
        assertArrayEquals(Files.readAllBytes(golden(name)), Files.readAllBytes(file));
    }

    @Test
    void everyDTypeIsWrittenAsTheReferenceDoes() throws IOException {
        assertWritesGolden("dtypes.safetensors", dtypes(), Map.of("format", "pt"));
    }

    @Test
    void scalarsEmptyTensorsAndNamesAreWrittenAsTheReferenceDoes() throws IOException {
        assertWritesGolden("shapes.safetensors", shapes(), Map.of());
    }

    @Test
    void metadataAloneIsWrittenAsTheReferenceDoes() throws IOException {
        assertWritesGolden("nothing.safetensors", Map.of(), Map.of("", "a \"quoted\" 値\n"));
    }

    @ParameterizedTest
    @EnumSource(
            value = LoadMode.class,
            names = {"MAPPED", "READ"})
    void everyDTypeAndShapeIsReadBack(LoadMode mode) throws IOException {
        var files = Map.of("dtypes.safetensors", dtypes(), "shapes.safetensors", shapes());
        for (var file : files.entrySet()) {
            var tensors = file.getValue();
            try (var checkpoint = Safetensors.open(golden(file.getKey()), mode)) {
                assertEquals(tensors.keySet(), checkpoint.names());
                for (var name : checkpoint.names()) {
                    var expected = tensors.get(name);
                    var loaded = checkpoint.tensor(name);
                    assertEquals(expected.dtype(), loaded.dtype(), name);
                    assertEquals(expected.shape(), loaded.shape(), name);
                    assertArrayEquals(bytes(expected), bytes(loaded), name);
                }
            }
        }
    }

    private static byte[] bytes(Tensor tensor) {
        int size = (int) tensor.elements() * tensor.dtype().bytes();
        var bytes = new byte[size];
        tensor.buffer(0, size).get(bytes);
        return bytes;
    }

    @Test
    void metadataIsReadBackInOrder() throws IOException {
        var file = folder.resolve("a.safetensors");
        SafetensorsWriter.write(file, Map.of(), Map.of("b", "2", "a", "1", "c", ""));
        try (var checkpoint = Safetensors.open(file, LoadMode.READ)) {
            assertEquals(Map.of("b", "2", "a", "1", "c", ""), checkpoint.metadata());
            assertEquals(List.of("a", "b", "c"), List.copyOf(checkpoint.metadata().keySet()));
        }
    }

    @Test
    void stridesAndGradientsDoNotMatter() throws IOException {
        var file = folder.resolve("a.safetensors");
        try (var mode = Mode.GRAD.enter()) {
            var tensor = Tensor.copyOf(new float[] {1, 2, 3, 4, 5, 6}, 2, 3).requiresGrad(true);
            SafetensorsWriter.write(
                    file,
                    Map.of("t", tensor.transpose(0, 1), "e", tensor.narrow(1, 0, 1).expand(2, 2)),
                    Map.of());
        }
        try (var checkpoint = Safetensors.open(file, LoadMode.READ)) {
            assertArrayEquals(
                    new float[] {1, 4, 2, 5, 3, 6}, checkpoint.tensor("t").toFloatArray());
            assertArrayEquals(new float[] {1, 1, 4, 4}, checkpoint.tensor("e").toFloatArray());
        }
    }

    @Test
    void failureBeforeWritingLeavesTheOldFile() throws IOException {
        var file = Files.writeString(folder.resolve("a.safetensors"), "old");
        var closed = Tensor.ones(DType.FLOAT32, 2);
        closed.close();
        assertThrows(
                IllegalStateException.class,
                () -> SafetensorsWriter.write(file, Map.of("a", closed), Map.of()));
        assertEquals("old", Files.readString(file));
        assertEquals(List.of(file), filesIn(folder));
    }

    @Test
    void failureAfterWritingLeavesNoRubbish() throws IOException {
        var nameTooLong = folder.resolve("x".repeat(300));
        assertThrows(IOException.class, () -> write(nameTooLong, "a"));
        assertEquals(List.of(), filesIn(folder));
    }

    @Test
    void linkIsReplacedAndNotFollowed() throws IOException {
        var blob = Files.writeString(folder.resolve("blob"), "old");
        var link = Files.createSymbolicLink(folder.resolve("a.safetensors"), blob);
        SafetensorsWriter.write(link, Map.of(), Map.of());
        assertEquals("old", Files.readString(blob));
        assertFalse(Files.isSymbolicLink(link));
    }

    @Test
    void whereNothingCanBeWrittenIsExplained() throws IOException {
        var aFolder = assertThrows(IOException.class, () -> write(folder, "a"));
        assertTrue(aFolder.getMessage().contains("is a folder: give the name of a file"));
        var absent = folder.resolve("absent/a.safetensors");
        var noFolder = assertThrows(NoSuchFileException.class, () -> write(absent, "a"));
        assertTrue(noFolder.getMessage().contains("its folder does not exist"));
        assertEquals(List.of(), filesIn(folder));
    }

    @Test
    void whatCanNotBeWrittenIsRefused() throws IOException {
        var file = folder.resolve("a.safetensors");
        assertThrows(IllegalArgumentException.class, () -> write(file, "__metadata__"));
        assertThrows(IllegalArgumentException.class, () -> write(file, "\ud800"));
        assertThrows(
                IllegalArgumentException.class,
                () -> SafetensorsWriter.write(file, Map.of(), Map.of("a", "\udc00")));
        var complex = Map.of("z", Tensor.zeros(DType.COMPLEX128, 1));
        var error =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> SafetensorsWriter.write(file, complex, Map.of()));
        assertTrue(error.getMessage().contains("tensor \"z\" is complex128"), error.getMessage());
        assertEquals(List.of(), filesIn(folder));
    }

    /** Tensors of ones, of a thousand numbers each, which are made when they are read. */
    private record Made(Set<String> keys, long said, List<Long> live) implements WeightSource {
        @Override
        public String name() {
            return "made";
        }

        @Override
        public Shape shape(String key) {
            return Shape.of(said);
        }

        @Override
        public Optional<DType> dtype(String key) {
            return Optional.of(DType.FLOAT32);
        }

        @Override
        public Tensor read(String key) {
            live.add(Memory.liveTensors());
            return Tensor.ones(DType.FLOAT32, 1000);
        }
    }

    @Test
    void aSourceIsReadTensorByTensor() throws IOException {
        Path file = folder.resolve("file.safetensors");
        var source = new Made(Set.of("a", "b", "c"), 1000, new ArrayList<>());
        SafetensorsWriter.write(file, source, Map.of("k", "v"));
        assertEquals(3, source.live.size());
        assertEquals(1, Set.copyOf(source.live).size(), source.live.toString());
        Path same = folder.resolve("same.safetensors");
        Tensor ones = Tensor.ones(DType.FLOAT32, 1000);
        SafetensorsWriter.write(same, Map.of("b", ones, "a", ones, "c", ones), Map.of("k", "v"));
        assertEquals(-1, Files.mismatch(file, same));
    }

    @Test
    void aSourceThatIsNotWhatItSaysIsRefused() throws IOException {
        Path file = Files.writeString(folder.resolve("file.safetensors"), "before");
        var source = new Made(Set.of("a"), 999, new ArrayList<>());
        var refused =
                assertThrows(
                        IOException.class, () -> SafetensorsWriter.write(file, source, Map.of()));
        assertTrue(refused.getMessage().contains("not F32[999]"), refused.getMessage());
        assertEquals("before", Files.readString(file));
    }

    @Test
    void headerIsNoLongerThanReadersAccept() throws IOException {
        var error =
                assertThrows(
                        IllegalArgumentException.class,
                        () -> write(folder.resolve("a.safetensors"), "x".repeat(100_000_000)));
        assertTrue(error.getMessage().contains("100000000"), error.getMessage());
        assertEquals(List.of(), filesIn(folder));
    }

    private static void write(Path file, String name) throws IOException {
        try (var tensor = Tensor.ones(DType.FLOAT32, 1)) {
            SafetensorsWriter.write(file, Collections.singletonMap(name, tensor), Map.of());
        }
    }

    private static List<Path> filesIn(Path folder) throws IOException {
        try (var files = Files.list(folder)) {
            return files.toList();
        }
    }
}
