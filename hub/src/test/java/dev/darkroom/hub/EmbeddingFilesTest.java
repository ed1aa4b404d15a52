package dev.darkroom.hub;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.hub.HubException.Kind;
import dev.darkroom.testing.FakeHub;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Learned embeddings of a hub. */
class EmbeddingFilesTest extends WithFakeHub {
    private Snapshot get(boolean offline) throws IOException, InterruptedException {
        try (Hub hub = hub(options().withOffline(offline))) {
            return hub.get(ID, new EmbeddingFiles(ID.repository()), DownloadListener.NONE);
        }
    }

    private FakeHub.Model model(String... files) {
        var model = server.model("org/tiny");
        for (String file : files) {
            model.add(file, random(100, file.hashCode()));
        }
        return model;
    }

    @Test
    void diffusersNameIsTakenBeforeOthers() throws Exception {
        var model =
                model("a.safetensors", EmbeddingFiles.DIFFUSERS, "learned_embeds.bin", "cat.png");
        Path folder = get(false).folder();
        assertEquals(List.of(EmbeddingFiles.DIFFUSERS), names(folder));
        byte[] expected = model.files.get(EmbeddingFiles.DIFFUSERS);
        assertArrayEquals(expected, Files.readAllBytes(folder.resolve(EmbeddingFiles.DIFFUSERS)));
        assertEquals(folder, get(true).folder());
    }

    @Test
    void theOnlyFileIsTaken() throws Exception {
        model("style.safetensors", "README.md", "more/other.safetensors");
        assertEquals(List.of("style.safetensors"), names(get(false).folder()));
        assertEquals(List.of("style.safetensors"), names(get(true).folder()));
    }

    @Test
    void picklesAndAChoiceAreRefused() {
        model("learned_embeds.bin");
        assertRefused("org/tiny has no .safetensors file; a pickle");
        model("b.safetensors", "c.safetensors");
        assertRefused("org/tiny has 2 .safetensors files and no learned_embeds.safetensors");
        assertEquals(List.of(), server.asked(".bin"));
    }

    private void assertRefused(String message) {
        var e = assertThrows(HubException.class, () -> get(false));
        assertEquals(Kind.NO_WEIGHTS, e.kind());
        assertTrue(String.valueOf(e.getMessage()).startsWith(message), e.getMessage());
    }
}
