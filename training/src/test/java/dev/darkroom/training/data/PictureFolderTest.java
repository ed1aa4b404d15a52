package dev.darkroom.training.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
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
        assertRefused("metadata.jsonl, line 1: this is not text in UTF-8");
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

    private void text(String name, int... bytes) throws IOException {
        var content = new byte[bytes.length];
        for (int i = 0; i < bytes.length; i++) {
            content[i] = (byte) bytes[i];
        }
        Files.write(folder.resolve(name), content);
    }

    private String caption() throws IOException {
        return PictureFolder.open(folder).examples().getFirst().caption();
    }

    @Test
    void aByteOrderMarkIsNoPartOfACaption() throws IOException {
        picture("a.png");
        text("a.txt", 0xef, 0xbb, 0xbf, 'r', 'e', 'd');
        assertEquals("red", caption());
        text("a.txt", 0xff, 0xfe, 'r', 0, 0xe9, 0, '\n', 0);
        assertEquals("ré", caption());
        text("a.txt", 0xfe, 0xff, 0, 'r', 0xd8, 0x3d, 0xde, 0x00);
        assertEquals("r😀", caption());
        text("a.txt", 0xef, 0xbb, 0xbf, '\r', '\n');
        assertRefused("a.txt: the caption is empty");

        Files.delete(folder.resolve("a.txt"));
        String line = "{\"file_name\": \"a.png\", \"text\": \"\ufeffa red cat\"}";
        Files.writeString(folder.resolve("metadata.jsonl"), "\ufeff" + line);
        assertEquals("a red cat", caption());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\u00a0",
                "\u0085",
                "\u001c\u001f",
                "\u2003\u3000",
                "\u200b",
                "\ufeff \ufeff"
            })
    void whatIsWhiteAtTheEndsIsNoPartOfACaption(String white) throws IOException {
        picture("a.png");
        Files.writeString(folder.resolve("a.txt"), white + " a" + white + "b " + white);
        assertEquals("a" + white + "b", caption());
        Files.writeString(folder.resolve("a.txt"), white);
        assertRefused("a.txt: the caption is empty");

        Files.delete(folder.resolve("a.txt"));
        metadata("{\"file_name\": \"a.png\", \"text\": \"" + escaped(white + "a" + white) + "\"}");
        assertEquals("a", caption());
        metadata("{\"file_name\": \"a.png\", \"text\": \"" + escaped(white) + "\"}");
        assertRefused("metadata.jsonl, line 1: text is blank");
    }

    private static String escaped(String text) {
        var escaped = new StringBuilder();
        text.chars().forEach(c -> escaped.append(String.format(Locale.ROOT, "\\u%04x", c)));
        return escaped.toString();
    }

    @Test
    void whatIsNoTextIsNamedWithItsLine() throws IOException {
        picture("a.png");
        text("a.txt", 'r', 0, 'e', 0, 'd', 0); // UTF-16 that does not say so
        assertRefused("a.txt, line 1: there is a character of value 0, as UTF-16 without");
        text("a.txt", 0x2b, 0x67, 0x08, 0xff, '\n', 0); // the same, of other characters
        assertRefused("a.txt, line 1: this is not text in UTF-8; save it in UTF-8");
        text("a.txt", 'r', '\n', 'e', 0xe9); // Latin 1
        assertRefused("a.txt, line 2: this is not text in UTF-8");
        text("a.txt", 'r', 0xed, 0xa0, 0x80); // half of a character
        assertRefused("a.txt, line 1: this is not text in UTF-8");
        text("a.txt", 0xff, 0xfe, 'r', 0, '\n', 0, 0x3d, 0xd8, 'x', 0);
        assertRefused("a.txt, line 2: this is not text in UTF-16LE");
        text("a.txt", 0xfe, 0xff, 0, 'r', 0);
        assertRefused("a.txt, line 1: this is not text in UTF-16BE");

        Files.delete(folder.resolve("a.txt"));
        metadata("", "{\"file_name\": \"a.png\", \"text\": \"r\\ud83d\"}");
        assertRefused("metadata.jsonl, line 2: text holds half of a character");
        metadata("{\"file_name\": \"a.png\", \"text\": \"r\", \"class\": \"\\ude00\"}");
        assertRefused("metadata.jsonl, line 1: class holds half of a character");
    }

    @Test
    void classesAreStrippedToo() throws IOException {
        picture("a.png");
        metadata("{\"file_name\": \"a.png\", \"text\": \"r\", \"class\": \"\u00a0cat \"}");
        assertEquals(
                Map.of("class", "cat"), PictureFolder.open(folder).examples().getFirst().fields());
        metadata("{\"file_name\": \"a.png\", \"text\": \"r\", \"class\": \" \"}");
        assertRefused("metadata.jsonl, line 1: class is blank");
    }

    @Test
    void filesOfTheSystemAreIgnored() throws IOException {
        picture("a.png");
        Files.writeString(folder.resolve("a.txt"), "an A");
        for (String name :
                List.of("._a.png", "._a.txt", ".DS_Store", "Thumbs.db", "desktop.ini", ".b.png")) {
            Files.write(folder.resolve(name), new byte[] {0, 5, 22, 7});
        }
        Files.createDirectories(folder.resolve("__MACOSX"));
        Files.createDirectories(folder.resolve("folder.png"));
        Files.writeString(folder.resolve("readme.md"), "what this is");
        var read = PictureFolder.open(folder);
        assertEquals(List.of("an A"), read.captions());
        assertEquals(List.of(folder.resolve("readme.md")), read.leftOut());
        metadata("{\"file_name\": \"__MACOSX/._a.png\", \"text\": \"r\"}");
        Files.delete(folder.resolve("a.txt"));
        Files.write(folder.resolve("__MACOSX/._a.png"), new byte[10]);
        assertRefused("metadata.jsonl, line 1: __MACOSX/._a.png is no png");
    }

    @Test
    void capitalLettersDoNotMatterUnlessTheyTellApart() throws IOException {
        assumeTrue(
                !Files.exists(
                        folder.resolveSibling(
                                folder.getFileName().toString().toUpperCase(Locale.ROOT))));
        picture("A.PNG");
        Files.writeString(folder.resolve("A.TXT"), "an A");
        assertEquals("an A", caption());
        Files.writeString(folder.resolve("a.Txt"), "another");
        assertEquals("an A", caption()); // the name is exactly that
        Files.writeString(folder.resolve("A.txt"), "a third");
        assertRefused("A.PNG: its caption may be A.TXT or A.txt; delete one of them");
        Files.delete(folder.resolve("A.TXT"));
        Files.delete(folder.resolve("A.txt"));
        assertEquals("another", caption());
        picture("a.png");
        assertRefused("a.png: its caption, a.Txt, is already that of A.PNG");
        Files.delete(folder.resolve("a.png"));
        Files.delete(folder.resolve("a.Txt"));
        Files.writeString(
                folder.resolve("METADATA.JSONL"), "{\"file_name\": \"A.PNG\", \"text\": \"x\"}");
        assertEquals("x", caption());
        metadata("{\"file_name\": \"A.PNG\", \"text\": \"y\"}");
        assertRefused("METADATA.JSONL: there is also metadata.jsonl; delete one of them");
    }

    /** A link whose target is gone is a picture that can't be read, and not ignored. */
    @Test
    void aDanglingLinkIsNoPicture() throws IOException {
        try {
            Files.createSymbolicLink(folder.resolve("a.png"), Path.of("gone.png"));
        } catch (UnsupportedOperationException | IOException e) {
            assumeTrue(false, "no links here");
        }
        Files.writeString(folder.resolve("a.txt"), "an A");
        Example example = PictureFolder.open(folder).examples().getFirst();
        var refusal = assertThrows(DataException.class, () -> PictureFile.read(example.file()));
        assertTrue(refusal.getMessage().endsWith("a.png: the picture is missing"));
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
