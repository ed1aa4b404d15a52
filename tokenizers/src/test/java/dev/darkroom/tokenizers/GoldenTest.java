package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.TestFiles.cases;
import static dev.darkroom.tokenizers.TestFiles.ints;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The ids are those of the references, on every string: see {@code
 * tests/oracle/make_tokenizer_golden.py}.
 */
class GoldenTest {
    @TempDir Path folder;

    @Test
    void t5FromSpieceModel() throws IOException {
        checkGolden("t5", Tokenizers.load(cases().resolve("t5"), "T5Tokenizer"));
    }

    @Test
    void t5FromTokenizerJson() throws IOException {
        Files.copy(cases().resolve("t5/tokenizer.json"), folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"extra_ids\": 0}");
        checkGolden("t5_fast", Tokenizers.load(folder, "T5TokenizerFast"));
    }

    @Test
    void clipFromVocabularyAndMerges() throws IOException {
        checkGolden("clip", Tokenizers.load(cases().resolve("clip"), "CLIPTokenizer"));
    }

    @Test
    void clipFromTokenizerJson() throws IOException {
        for (boolean mergesAsPairs : new boolean[] {true, false}) {
            var file = folder.resolve("tokenizer.json");
            TestFiles.writeClipTokenizerJson(file, mergesAsPairs);
            checkGolden("clip_fast", Tokenizers.load(folder, "CLIPTokenizerFast"));
        }
    }

    @Test
    void fastClipConvertedFromVocabularyAndMerges() throws IOException {
        checkGolden("clip_fast", Tokenizers.load(cases().resolve("clip"), "CLIPTokenizerFast"));
    }

    private static void checkGolden(String reader, Tokenizer tokenizer) throws IOException {
        var differences = new ArrayList<String>();
        int compared = 0;
        int decoded = 0;
        for (var row : TestFiles.lines("golden.jsonl.gz")) {
            var text = row.get("text").textValue();
            compare(text, ints(row.get(reader)), tokenizer.encode(text), differences);
            compared++;
            if (row.has("cut")) {
                var expected = ints(row.get("cut").get(reader));
                compare(text + " (cut)", expected, tokenizer.encode(text, 12).ids(), differences);
                assertEquals(
                        row.get("decoded").get(reader).textValue(),
                        tokenizer.decode(tokenizer.encode(text)),
                        text);
                decoded++;
            }
        }
        report(differences);
        assertEquals(1000, compared);
        assertEquals(100, decoded);
    }

    /** Other settings and other models, each in a folder of its own. */
    @Test
    void variants() throws IOException {
        Tokenizer tokenizer = null;
        String name = "";
        var differences = new ArrayList<String>();
        int variants = 0;
        int compared = 0;
        for (var row : TestFiles.lines("variants.jsonl.gz")) {
            if (row.has("class")) {
                name = row.toString();
                var variant = Files.createDirectory(folder.resolve("variant" + variants++));
                for (var file : row.get("files").properties()) {
                    writeFile(variant.resolve(file.getKey()), file.getValue());
                }
                tokenizer = Tokenizers.load(variant, row.get("class").textValue());
                assertEquals(row.get("size").intValue(), tokenizer.size(), name);
                assertEquals(row.get("pad").intValue(), tokenizer.padId(), name);
            } else {
                var text = row.get("text").textValue();
                compare(
                        name + " " + text,
                        ints(row.get("ids")),
                        tokenizer.encode(text),
                        differences);
                compared++;
            }
        }
        report(differences);
        assertEquals(18, variants);
        assertEquals(true, compared > 2000, "compared " + compared);
    }

    private static void writeFile(Path file, JsonNode source) throws IOException {
        if (source.isObject()) {
            TestFiles.JSON.writeValue(file.toFile(), source);
        } else if (source.textValue().contains("/")) {
            Files.copy(cases().resolve(source.textValue()), file);
        } else {
            try (var in = TestFiles.resource(source.textValue() + ".gz")) {
                Files.copy(in, file);
            }
        }
    }

    /** The project's reference case: CLIP padded to 77 tokens, T5 cut to 60. */
    @Test
    void referenceCase() throws IOException {
        var clip = Tokenizers.load(cases().resolve("clip"), null);
        var t5 = Tokenizers.load(cases().resolve("t5"), null);
        var differences = new ArrayList<String>();
        int compared = 0;
        for (var row : TestFiles.JSON.readTree(cases().resolve("expected.json").toFile())) {
            var text = row.get("text").textValue();
            compare(
                    text,
                    ints(row.get("clip")),
                    clip.encode(text, clip.maxLength()).ids(),
                    differences);
            var tokens = t5.encode(text, 60);
            int used = Math.min(60, tokens.unpaddedLength());
            compare(text, ints(row.get("t5")), Arrays.copyOf(tokens.ids(), used), differences);
            compared++;
        }
        report(differences);
        assertEquals(54, compared);
    }

    private static void compare(String text, int[] expected, int[] actual, List<String> into) {
        if (!Arrays.equals(expected, actual)) {
            into.add(
                    TestFiles.JSON.getNodeFactory().textNode(text)
                            + "\n  expected "
                            + Arrays.toString(expected)
                            + "\n  but got  "
                            + Arrays.toString(actual));
        }
    }

    private static void report(List<String> differences) {
        assertEquals(
                0,
                differences.size(),
                () ->
                        differences.size()
                                + " texts differ:\n"
                                + String.join(
                                        "\n",
                                        differences.subList(0, Math.min(20, differences.size()))));
    }
}
