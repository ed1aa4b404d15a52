package dev.darkroom.models.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.runtime.DType;
import dev.darkroom.runtime.Device;
import dev.darkroom.runtime.Tensor;
import dev.darkroom.runtime.TensorScope;
import dev.darkroom.runtime.safetensors.LoadMode;
import dev.darkroom.runtime.safetensors.Safetensors;
import dev.darkroom.runtime.safetensors.SafetensorsWriter;
import dev.darkroom.runtime.safetensors.WeightFiles;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

class CheckpointWriterTest {
    @TempDir private Path folder;

    private static void weights(Path file, String name, double value) throws IOException {
        try (var scope = TensorScope.open()) {
            SafetensorsWriter.write(
                    file, Map.of(name, Tensor.ones(DType.FLOAT32, 2).times(value)), Map.of());
        }
    }

    private static Set<String> names(Path folder) throws IOException {
        try (var files = Files.list(folder)) {
            var names = new TreeSet<String>();
            files.forEach(file -> names.add(file.getFileName().toString()));
            return names;
        }
    }

    /** A part in shards of which a variant is wanted, beside plain weights that are not. */
    private Path sharded() throws IOException {
        Path part = Files.createDirectories(folder.resolve("from/deep"));
        Files.writeString(part.resolve("note.txt"), "kept");
        part = folder.resolve("from");
        Files.writeString(part.resolve("config.json"), "{}");
        weights(part.resolve("model.safetensors"), "a", 1);
        weights(part.resolve("model.fp16-00001-of-00002.safetensors"), "a", 2);
        weights(part.resolve("model.fp16-00002-of-00002.safetensors"), "b", 3);
        Files.writeString(
                part.resolve("model.safetensors.index.fp16.json"),
                "{\"weight_map\": {\"a\": \"model.fp16-00001-of-00002.safetensors\","
                        + " \"b\": \"model.fp16-00002-of-00002.safetensors\"}}");
        return part;
    }

    @Test
    void aCopyHasTheVariantAsItsPlainWeights() throws IOException {
        var writer = new CheckpointWriter(folder.resolve("to"), "Some");
        writer.copy("text_encoder", Library.TRANSFORMERS, "Encoder", sharded(), "fp16");
        assertFalse(Files.exists(folder.resolve("to/model_index.json")));
        writer.labels(Map.of("0", "cat"));
        writer.finish();
        Path copy = folder.resolve("to/text_encoder");
        assertEquals(
                Set.of(
                        "config.json",
                        "deep",
                        "model.fp16-00001-of-00002.safetensors",
                        "model.fp16-00002-of-00002.safetensors",
                        "model.safetensors.index.json"),
                names(copy));
        Path weights = WeightFiles.find(copy, WeightFiles.TRANSFORMERS, null).path();
        try (var scope = TensorScope.open();
                var file = Safetensors.open(weights, LoadMode.READ)) {
            assertEquals(2, file.tensor("a").max().item());
            assertEquals(3, file.tensor("b").max().item());
        }
        var options =
                new LoadOptions(DType.FLOAT32, null, Device.CPU, true, null, true, Tiling.AUTO);
        try (var checkpoint = Checkpoint.open(folder.resolve("to"), options)) {
            assertEquals("Some", checkpoint.className());
            assertEquals(Map.of("0", "cat"), checkpoint.labels());
            assertEquals("Encoder", checkpoint.requirePart("text_encoder"));
        }
    }

    @Test
    void withoutAVariantEverythingIsCopied() throws IOException {
        Path from = sharded();
        var writer = new CheckpointWriter(folder.resolve("to"), "Some");
        writer.copy("text_encoder", Library.TRANSFORMERS, "Encoder", from, null);
        assertEquals(names(from), names(folder.resolve("to/text_encoder")));
        assertTrue(Files.exists(folder.resolve("to/text_encoder/deep/note.txt")));
    }

    @Test
    void whatIsBegunIsNoCheckpoint() throws IOException {
        Files.writeString(folder.resolve("model_index.json"), "{}");
        var writer = new CheckpointWriter(folder, "Some");
        assertFalse(Files.exists(folder.resolve("model_index.json")));
        writer.finish();
        assertTrue(Files.exists(folder.resolve("model_index.json")));
    }
}
