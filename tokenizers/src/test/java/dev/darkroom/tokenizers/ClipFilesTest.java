package dev.darkroom.tokenizers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.json.JsonMapper;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** The files of CLIP's tokenizer are those that were published. */
class ClipFilesTest {
    @TempDir Path folder;

    @Test
    void vocabularyFollowsFromTheMerges() throws IOException {
        var json = new JsonMapper();
        Path published = TestFiles.cases().resolve("clip");
        var files = ClipFiles.of("<|endoftext|>");
        assertEquals(
                json.readTree(published.resolve("vocab.json").toFile()),
                json.readTree(files.get("vocab.json")));
        assertEquals(Files.readString(published.resolve("merges.txt")), files.get("merges.txt"));
    }

    @Test
    void textsHaveTheSameIds() throws IOException {
        for (var file : ClipFiles.of("!").entrySet()) {
            Files.writeString(folder.resolve(file.getKey()), file.getValue());
        }
        var made = Tokenizers.load(folder, "CLIPTokenizer");
        var published = Tokenizers.load(TestFiles.cases().resolve("clip"), "CLIPTokenizer");
        String text = "A <|endoftext|> photo of two CATS & a (very) old tree; café, 日本";
        assertArrayEquals(published.encode(text), made.encode(text));
        assertEquals(published.maxLength(), made.maxLength());
        assertEquals(0, made.padId());
    }
}
