package dev.darkroom.runtime.safetensors;

import static dev.darkroom.runtime.safetensors.RawFile.entry;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.darkroom.runtime.safetensors.SafetensorsException.Kind;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

class InspectionTest {
    @TempDir Path model;

    private Path file(String path, String dtype, int bytes) throws IOException {
        var file = model.resolve(path);
        Files.createDirectories(file.getParent());
        int elements = bytes * 8 / SafetensorsDType.valueOf(dtype).bits();
        return Files.write(
                file,
                RawFile.of("{" + entry("w", dtype, "[" + elements + "]", 0, bytes) + "}", bytes));
    }

    @Test
    void folderIsGroupedByPart() throws IOException {
        file("transformer/diffusion_pytorch_model.safetensors", "F32", 16);
        file("vae/diffusion_pytorch_model.safetensors", "F16", 4);
        file("vae/diffusion_pytorch_model.fp16.safetensors", "F16", 2);
        file("root.safetensors", "F32", 4);
        Files.writeString(model.resolve("model_index.json"), "{}");
        var inspection = Inspection.of(model);
        assertEquals(
                List.of("", "transformer", "vae"),
                inspection.parts().stream().map(Inspection.Part::name).toList());
        assertEquals(2, inspection.parts().getLast().files().size());
        assertEquals(6, inspection.parts().getLast().tensorBytes());
        assertEquals(26, inspection.tensorBytes());
        assertEquals(4, inspection.tensorCount());
        assertEquals(
                Map.of(SafetensorsDType.F32, 20L, SafetensorsDType.F16, 6L),
                inspection.bytesByDType());
    }

    @Test
    void fileIsOnePart() throws IOException {
        var inspection = Inspection.of(file("a.safetensors", "F32", 8));
        assertEquals(1, inspection.parts().size());
        assertEquals(8, inspection.tensorBytes());
    }

    @Test
    void indexesAreCheckedToo() throws IOException {
        file("t5/model-00001-of-00002.safetensors", "F32", 8);
        Files.writeString(
                model.resolve("t5/model.safetensors.index.json"),
                "{\"weight_map\":{\"w\":\"model-00001-of-00002.safetensors\",\"v\":\"model-00002-of-00002.safetensors\"}}");
        assertEquals(Kind.MISSING_SHARD, refusal(model));
    }

    @Test
    void linkedPartsAreFollowed() throws IOException {
        file("elsewhere/model.safetensors", "F32", 8);
        var links = Files.createDirectories(model.resolve("links"));
        Files.createSymbolicLink(links.resolve("part"), model.resolve("elsewhere"));
        assertEquals(8, Inspection.of(links).tensorBytes());
        Files.createSymbolicLink(links.resolve("loop"), links);
        assertThrows(IOException.class, () -> Inspection.of(links));
    }

    @Test
    void nothingToInspectIsExplained() throws IOException {
        assertEquals(Kind.MISSING_FILE, refusal(model));
        assertEquals(Kind.MISSING_FILE, refusal(model.resolve("absent")));
        Files.writeString(model.resolve("model.ckpt"), "");
        assertEquals(Kind.PICKLE, refusal(model));
    }

    private static Kind refusal(Path path) {
        return assertThrows(SafetensorsException.class, () -> Inspection.of(path)).kind();
    }
}
