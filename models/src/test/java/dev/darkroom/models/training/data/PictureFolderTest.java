package dev.darkroom.models.training.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

class PictureFolderTest {
    @TempDir private Path folder;

    private void picture(String name) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.resolveSibling(""));
        TestPictures.write(file, TestPictures.picture(1, 4, 4));
    }

    private void metadata(String... lines) throws IOException {
        Files.write(folder.resolve("metadata.jsonl"), List.of(lines));
    }

    private void assertRefused(String... parts) {
        var refusal = assertThrows(DataException.class, () -> PictureFolder.open(folder));
        for (String part : parts) {
            assertTrue(refusal.getMessage().contains(part), refusal.getMessage());
        }
    }

    @Test
    void captionsLieBesideThePictures() throws IOException {
        picture("b.PNG");
        picture("a.b.jpg");
        Files.writeString(folder.resolve("b.txt"), "  a bee\n");
        Files.writeString(folder.resolve("a.b.txt"), "an A");
        Files.writeString(folder.resolve("readme.txt"), "not of a picture");
        assertEquals(
                List.of(
                        new Example(folder.resolve("a.b.jpg"), "an A", Map.of()),
                        new Example(folder.resolve("b.PNG"), "a bee", Map.of())),
                PictureFolder.open(folder).examples());
    }

    @Test
    void metadataNamesPicturesInFoldersAndKeepsOtherFields() throws IOException {
        picture("deep/er/b.png");
        picture("a.png");
        picture("left out.png");
        metadata(
                "{\"file_name\": \"deep/./er/b.png\", \"text\": \"a \\u00e9\", \"class\": 3,"
                        + " \"tags\": [\"x\"], \"none\": null}",
                "",
                "{\"text\": \"an A\", \"file_name\": \"a.png\", \"class\": \"four\"}");
        var read = PictureFolder.open(folder);
        assertEquals(
                List.of(
                        new Example(folder.resolve("a.png"), "an A", Map.of("class", "four")),
                        new Example(
                                folder.resolve("deep/er/b.png"),
                                "a é",
                                Map.of("class", "3", "tags", "[\"x\"]"))),
                read.examples());
        assertEquals(List.of("a é", "an A"), read.captions());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"file_name\": \"a.png\"                            | not valid JSON",
                "{\"file_name\": \"a.png\", \"text\": \"a\"} {}       | not valid JSON",
                "{\"text\": \"a\", \"text\": \"b\"}                   | not valid JSON",
                "[\"a.png\"]                                          | a line is a JSON object",
                "{\"text\": \"a\"}                                    | file_name is missing",
                "{\"file_name\": \"a.png\"}                           | text is missing",
                "{\"file_name\": \"a.png\", \"text\": null}           | text is missing",
                "{\"file_name\": \"a.png\", \"text\": \" \"}          | text is blank",
                "{\"file_name\": \"a.png\", \"text\": 5}              | text must be a string, not"
                        + " 5",
                "{\"file_name\": \"c.png\", \"text\": \"a\"}          | there is no picture c.png",
                "{\"file_name\": \"a.txt\", \"text\": \"a\"}          | a.txt is no png, jpg",
                "{\"file_name\": \"../a.png\", \"text\": \"a\"}       | ../a.png is not inside",
                "{\"file_name\": \"x/../a.png\", \"text\": \"a\"}     | x/../a.png is not inside",
                "{\"file_name\": \"/other/a.png\", \"text\": \"a\"}     | /other/a.png is not"
                        + " inside",
                "{\"file_name\": \"a\\u0000.png\", \"text\": \"a\"}   | can't be that of a file",
                "{\"file_name\": \"./b.png\", \"text\": \"a\"}        | ./b.png is given twice",
            })
    void aWrongLineIsNamed(String line, String problem) throws IOException {
        picture("a.png");
        picture("b.png");
        metadata("{\"file_name\": \"b.png\", \"text\": \"b\"}", line);
        assertRefused("metadata.jsonl, line 2: ", problem);
    }

    @Test
    void whatIsNoFolderOfPicturesIsRefused() throws IOException {
        assertRefused("there is neither a metadata.jsonl nor a picture");
        metadata();
        assertRefused("metadata.jsonl: the file is empty");
        Files.write(folder.resolve("metadata.jsonl"), new byte[] {(byte) 0xff});
        assertRefused("metadata.jsonl: this is not text in UTF-8");
        var missing =
                assertThrows(
                        DataException.class, () -> PictureFolder.open(folder.resolve("missing")));
        assertTrue(missing.getMessage().endsWith("missing: there is no such folder"));
        var file =
                assertThrows(
                        DataException.class,
                        () -> PictureFolder.open(folder.resolve("metadata.jsonl")));
        assertTrue(file.getMessage().endsWith("this is not a folder"));
    }

    @Test
    void aCaptionBesideThePictureIsNeitherMissingNorEmptyNorShared() throws IOException {
        picture("a.png");
        assertRefused("a.png: its caption is missing", "neither a a.txt nor a metadata.jsonl");
        Files.writeString(folder.resolve("a.txt"), " \n");
        assertRefused("a.txt: the caption is empty");
        Files.writeString(folder.resolve("a.txt"), "an A");
        picture("a.jpg");
        assertRefused("a.png: its caption, a.txt, is already that of a.jpg");
    }

    @Test
    void bothFormsAreRefused() throws IOException {
        picture("a.png");
        Files.writeString(folder.resolve("a.txt"), "an A");
        metadata("{\"file_name\": \"a.png\", \"text\": \"an A\"}");
        assertRefused("metadata.jsonl: there is also a.txt", "delete one of them");
    }

    @Test
    void theFingerprintTellsDataSetsApartAndNotTheirPlaces() throws IOException {
        Path first = folder.resolve("first");
        Path second = folder.resolve("second");
        String fingerprint = TestPictures.folder(first, 3, 4, 4).fingerprint();
        assertEquals(fingerprint, TestPictures.folder(second, 3, 4, 4).fingerprint());
        Files.writeString(second.resolve("001.txt"), "changed");
        assertNotEquals(fingerprint, PictureFolder.open(second).fingerprint());
        Files.writeString(second.resolve("001.txt"), "number 1");
        assertEquals(fingerprint, PictureFolder.open(second).fingerprint());
        TestPictures.write(second.resolve("001.png"), TestPictures.picture(9, 4, 4));
        assertNotEquals(fingerprint, PictureFolder.open(second).fingerprint());
    }
}
