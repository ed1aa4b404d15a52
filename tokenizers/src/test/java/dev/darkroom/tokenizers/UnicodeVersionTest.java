package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.UnicodeVersion.V14;
import static dev.darkroom.tokenizers.UnicodeVersion.V16;
import static dev.darkroom.tokenizers.UnicodeVersion.V18;
import static dev.darkroom.tokenizers.UnicodeVersion.V9;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import com.fasterxml.jackson.databind.JsonNode;

import org.junit.jupiter.api.Test;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What the references know of Unicode, whatever this JVM knows. */
class UnicodeVersionTest {
    private static final Pattern LETTERS = Pattern.compile("\\p{L}+");

    /** In the sweep, texts of each character: see {@code make_unicode_table.py}. */
    private static List<String> texts(String s) {
        return List.of(
                s,
                "a" + s + "b 1" + s,
                "a" + s + "\u0334\u0301",
                "e\u0301" + s + "\u0323" + s + "\u0308",
                "\u00aa" + s + " " + s + "\u08d2",
                s + "\u0345 \u03a3" + s + " " + s + "\u03a3");
    }

    @Test
    void t5() throws Exception {
        sweep("t5", Tokenizers.load(TestFiles.cases().resolve("t5"), "T5Tokenizer"));
    }

    @Test
    void fastT5() throws Exception {
        sweep("t5_fast", Tokenizers.load(TestFiles.cases().resolve("t5"), "T5TokenizerFast"));
    }

    @Test
    void clip() throws Exception {
        sweep("clip", Tokenizers.load(TestFiles.cases().resolve("clip"), "CLIPTokenizer"));
    }

    @Test
    void fastClip() throws Exception {
        sweep("clip_fast", Tokenizers.load(TestFiles.cases().resolve("clip"), "CLIPTokenizerFast"));
    }

    /** Every character alone and beside marks has the reference's tokens. */
    private static void sweep(String reader, Tokenizer tokenizer) throws Exception {
        var different = new ArrayList<String>();
        int blocks = 0;
        int characters = 0;
        for (var row : TestFiles.lines("unicode-sweep.jsonl.gz")) {
            var sha = MessageDigest.getInstance("SHA-256");
            int[] swept = characters(row.get("runs"));
            for (int c : swept) {
                for (var text : texts(Character.toString(c))) {
                    var ids =
                            Arrays.stream(tokenizer.encode(text))
                                    .mapToObj(String::valueOf)
                                    .collect(Collectors.joining(" ", "", "\n"));
                    sha.update(ids.getBytes(StandardCharsets.US_ASCII));
                }
            }
            String hash = HexFormat.of().formatHex(sha.digest(), 0, 4);
            if (!hash.equals(row.get(reader).textValue())) {
                different.add(Integer.toHexString(swept[0]));
            }
            blocks++;
            characters += swept.length;
        }
        assertEquals(List.of(), different, "the first characters of blocks that differ");
        assertEquals(List.of(716, 26_490), List.of(blocks, characters));
    }

    private static int[] characters(JsonNode runs) {
        return runs.valueStream()
                .flatMapToInt(
                        run -> IntStream.rangeClosed(run.get(0).intValue(), run.get(1).intValue()))
                .toArray();
    }

    @Test
    void eachKnowsWhatItWasMadeWith() {
        assertEquals(
                List.of(false, true, true, true), known(0x089F)); // ARABIC HALF MADDA OVER MADDA
        assertEquals(List.of(false, false, true, true), known(0xA7DA));
        assertEquals(List.of(false, false, false, true), known(0x0558));
        assertEquals(List.of(true, true, true, true), known('a'));
        assertEquals(List.of(false, false, false, false), known(0x0378));
        assertEquals(Character.MODIFIER_LETTER, V18.type(0x208F));
        assertEquals(Character.MODIFIER_LETTER, V18.type(0x209D));
        assertEquals(Character.LOWERCASE_LETTER, V16.type(0x0295));
        assertEquals(Character.OTHER_LETTER, V18.type(0x0295));
        assertEquals(Character.NON_SPACING_MARK, V14.type(0x1171E));
        assertEquals(Character.COMBINING_SPACING_MARK, V16.type(0x1171E));
    }

    private static List<Boolean> known(int c) {
        return Arrays.stream(UnicodeVersion.values()).map(version -> version.knows(c)).toList();
    }

    @Test
    void whatIsNotKnownKeepsItsPlace() {
        assertEquals("\u089F\u08D2", V9.normalize("\u089F\u08D2", Form.NFC));
        assertEquals("\u08D2\u089F", V14.normalize("\u089F\u08D2", Form.NFC));
        assertEquals("\u00E9\u089F\u00E9", V9.normalize("e\u0301\u089Fe\u0301", Form.NFC));
        assertEquals("e\u089F\u0301", V9.normalize("e\u089F\u0301", Form.NFC));
        // U+16121 and its parts are of Unicode 16, U+11938 and its parts of 13.
        assertEquals(
                "\uD818\uDD1E\uD818\uDD1F", V14.normalize("\uD818\uDD1E\uD818\uDD1F", Form.NFC));
        assertEquals(
                "\uD806\uDD35\uD806\uDD30", V9.normalize("\uD806\uDD35\uD806\uDD30", Form.NFC));
        assertEquals("\uD806\uDD38", V14.normalize("\uD806\uDD35\uD806\uDD30", Form.NFC));
    }

    @Test
    void patternsSeeTheVersionsCategories() {
        var text = "a\u0558b \uA7DA \uD81A\uDC00 \uD888\uDFB0x";
        assertEquals("- - - -", V18.replaceAll(LETTERS, text, "-"));
        assertEquals("-\u0558- - - \uD888\uDFB0-", V16.replaceAll(LETTERS, text, "-"));
        assertEquals("-\u0558- \uA7DA - \uD888\uDFB0-", V14.replaceAll(LETTERS, text, "-"));
        var ascii = "a red heart";
        assertSame(ascii, V9.view(ascii));
        for (var version : UnicodeVersion.values()) {
            assertEquals(text.length(), version.view(text).length());
        }
    }

    @Test
    void lowerCaseIsTheVersions() {
        assertEquals(0xA7DB, V16.toLowerCase(0xA7DA));
        assertEquals(0x10D70, V16.toLowerCase(0x10D50));
        assertEquals(0xA7DA, V14.toLowerCase(0xA7DA));
        assertEquals(0x2C5F, V14.toLowerCase(0x2C2F));
        assertEquals('a', V9.toLowerCase('A'));
        assertEquals("\uA7DB", Lowercase.simple("\uA7DA"));
        assertEquals("\uA7DA", Lowercase.full("\uA7DA"));
    }
}
