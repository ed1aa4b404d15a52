package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.TestFiles.cases;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;

class TokenizersTest {
    private static final int END = 49407; // of CLIP

    @TempDir Path folder;

    private static Tokenizer t5() throws IOException {
        return Tokenizers.load(cases().resolve("t5"), "T5Tokenizer");
    }

    private static Tokenizer clip() throws IOException {
        return Tokenizers.load(cases().resolve("clip"), "CLIPTokenizer");
    }

    private static List<Tokenizer> all() throws IOException {
        return List.of(
                t5(),
                Tokenizers.load(cases().resolve("t5"), "T5TokenizerFast"),
                clip(),
                Tokenizers.load(cases().resolve("clip"), "CLIPTokenizerFast"));
    }

    @Test
    void padsAtTheRight() throws IOException {
        var tokens = clip().encode("a cat", 7);
        assertArrayEquals(new int[] {49406, 320, 2368, END, END, END, END}, tokens.ids());
        assertArrayEquals(
                new boolean[] {true, true, true, true, false, false, false}, tokens.mask());
        assertEquals(4, tokens.unpaddedLength());
    }

    @Test
    void cutsAtTheRightAndKeepsTheEnd() throws IOException {
        var tokens = clip().encode("a cat on a cat on a cat", 5);
        assertArrayEquals(new int[] {49406, 320, 2368, 525, END}, tokens.ids());
        assertArrayEquals(new boolean[] {true, true, true, true, true}, tokens.mask());
        assertEquals(10, tokens.unpaddedLength());
    }

    @Test
    void endGivenInTheTextIsNotRepeated() throws IOException {
        assertArrayEquals(new int[] {11, 1}, t5().encode("heart</s>"));
        assertEquals(2, t5().encode("heart</s>", 2).unpaddedLength());
        assertArrayEquals(new int[] {11, 1}, t5().encode("heart</s>", 2).ids());
    }

    @Test
    void specialTokensMustFit() throws IOException {
        assertArrayEquals(new int[] {49406, END}, clip().encode("a cat", 2).ids());
        var clip = clip();
        var error = assertThrows(IllegalArgumentException.class, () -> clip.encode("a cat", 1));
        assertEquals("maxLength is 1 but there are 2 special tokens", error.getMessage());
    }

    @Test
    void idsAndSizes() throws IOException {
        assertEquals(0, t5().padId());
        assertEquals(1, t5().eosId());
        assertEquals(80, t5().size());
        assertEquals(Integer.MAX_VALUE, t5().maxLength());
        assertEquals(END, clip().padId());
        assertEquals(END, clip().eosId());
        assertEquals(49408, clip().size());
        assertEquals(77, clip().maxLength());
    }

    @Test
    void decodeRefusesForeignIds() throws IOException {
        for (var tokenizer : all()) {
            for (int id : new int[] {-1, tokenizer.size(), Integer.MAX_VALUE}) {
                var error =
                        assertThrows(
                                IllegalArgumentException.class,
                                () -> tokenizer.decode(new int[] {id}));
                assertTrue(error.getMessage().startsWith("id " + id + " is not one of"));
            }
        }
    }

    @Test
    void unpairedSurrogatesCountAsReplacementCharacters() throws IOException {
        for (var tokenizer : all()) {
            assertArrayEquals(
                    tokenizer.encode("a\uFFFDb \uFFFD\uFFFD🙂\uFFFD"),
                    tokenizer.encode("a\uD800b \uDC00\uD83D\uD83D\uDE42\uDBFF"));
        }
    }

    @Test
    void longTextsTakeLinearTime() throws IOException {
        var parts =
                List.of(
                        "x",
                        " ",
                        "a ",
                        "\n",
                        "é",
                        "e\u0301",
                        "\u0301",
                        "\u0345",
                        "🙂",
                        "🇩🇪",
                        "\uD800",
                        "👩\u200D",
                        "'",
                        "!",
                        "7",
                        "字",
                        "\u00e3\u0083\u00bb",
                        "Ã©",
                        "amp;",
                        "&#38;",
                        "＆amp;",
                        "Σ",
                        "</s>",
                        "<|endoftext|>",
                        "▁",
                        "ﷺ");
        for (var tokenizer : all()) {
            for (var part : parts) {
                var text = "&" + part.repeat(100_000 / part.length());
                assertTimeoutPreemptively(
                        Duration.ofSeconds(10), () -> tokenizer.encode(text), part);
            }
        }
    }

    @Test
    void manyThreadsGetTheIdsOfOne() throws Exception {
        var texts = new ArrayList<String>();
        for (var row : TestFiles.lines("golden.jsonl.gz").subList(0, 300)) {
            texts.add(row.get("text").textValue());
        }
        for (var tokenizer : all()) {
            var expected = texts.stream().map(tokenizer::encode).toList();
            try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
                Callable<List<int[]>> encodeAll =
                        () -> texts.stream().map(tokenizer::encode).toList();
                for (var future : threads.invokeAll(Collections.nCopies(8, encodeAll))) {
                    for (int i = 0; i < texts.size(); i++) {
                        assertArrayEquals(expected.get(i), future.get().get(i));
                    }
                }
            }
        }
    }

    @Test
    void withoutSpieceModelTokenizerJsonIsRead() throws IOException {
        Files.copy(cases().resolve("t5/tokenizer.json"), folder.resolve("tokenizer.json"));
        Files.writeString(
                folder.resolve("tokenizer_config.json"),
                "{\"tokenizer_class\": \"T5Tokenizer\", \"extra_ids\": 0}");
        assertEquals(80, Tokenizers.load(folder, null).size());
        assertEquals(80, Tokenizers.load(folder, "T5Tokenizer").size());
    }

    @Test
    void withoutConfigTheFilesDecide() throws IOException {
        Files.copy(cases().resolve("clip/vocab.json"), folder.resolve("vocab.json"));
        Files.copy(cases().resolve("clip/merges.txt"), folder.resolve("merges.txt"));
        assertArrayEquals(
                new int[] {49406, 2368, END}, Tokenizers.load(folder, null).encode("CAT"));
    }

    @Test
    void whatIsMissingIsNamed() {
        assertProblem("there is no such folder", folder.resolve("nowhere"), null);
        assertProblem("there should be spiece.model or tokenizer.json", folder, "T5Tokenizer");
        assertProblem("there should be tokenizer.json or spiece.model", folder, "T5TokenizerFast");
        assertProblem(
                "there should be vocab.json and merges.txt, or tokenizer.json",
                folder,
                "CLIPTokenizer");
        assertProblem("there should be tokenizer.json", folder, null);
        assertProblem(
                "the tokenizer class \"LlamaTokenizer\" is not supported; those that are:"
                        + " T5Tokenizer, CLIPTokenizer, their Fast forms and"
                        + " PreTrainedTokenizerFast",
                folder,
                "LlamaTokenizer");
    }

    private static void assertProblem(String problem, Path folder, String className) {
        var error =
                assertThrows(TokenizerException.class, () -> Tokenizers.load(folder, className));
        assertEquals(folder + ": " + problem, error.getMessage());
    }
}
