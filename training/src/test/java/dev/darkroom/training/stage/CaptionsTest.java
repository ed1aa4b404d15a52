package dev.darkroom.training.stage;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.darkroom.models.family.TrainingInput;
import dev.darkroom.models.family.pixart.PixArt;
import dev.darkroom.training.data.PictureFolder;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

class CaptionsTest {
    @TempDir private Path folder;

    /** As PixArt reads them. */
    private List<String> captions() throws IOException {
        var input = new PixArt().trainable().orElseThrow().input();
        return Captions.of(PictureFolder.open(folder), (TrainingInput.Text) input);
    }

    @Test
    void eachExampleHasItsOwn() throws IOException {
        String[] captions = {"Red ", "a blue one", "red", "A blue one"};
        for (int i = 0; i < captions.length; i++) {
            Files.createFile(folder.resolve(i + ".png")); // is not decoded
            Files.writeString(folder.resolve(i + ".txt"), captions[i]);
        }
        assertEquals(List.of("red", "a blue one", "red", "a blue one"), captions());
    }

    /** As sampling prepares prompts: by Python's rules. */
    @Test
    void areReadAsPromptsAre() throws IOException {
        Files.createFile(folder.resolve("a.png"));
        Files.writeString(folder.resolve("a.txt"), "\u0085RED \u0391\u03A3.\u0391\u001C");
        assertEquals(List.of("red \u03B1\u03C3.\u03B1"), captions());
    }
}
