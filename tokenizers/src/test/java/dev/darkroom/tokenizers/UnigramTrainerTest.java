package dev.darkroom.tokenizers;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.darkroom.tokenizers.UnigramEstimation.Piece;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** Expected ids are the Python readers', by {@code tests/oracle/unigram.py}. */
class UnigramTrainerTest {
    private static final List<String> FILES =
            List.of(
                    "spiece.model",
                    "tokenizer.json",
                    "tokenizer_config.json",
                    "special_tokens_map.json");

    @TempDir Path folder;

    private static List<String> captions() throws IOException {
        try (var in = TestFiles.resource("unigram/captions.txt")) {
            return new String(in.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8)
                    .lines()
                    .toList();
        }
    }

    private static TrainedUnigram train(List<String> captions, int size) {
        return new UnigramTrainer(UnigramTrainer.Options.of(size)).train(captions);
    }

    @Test
    void trainsTheSameFilesAgainWhateverTheOrder() throws IOException {
        var shuffled = new ArrayList<>(captions());
        Collections.shuffle(shuffled, new java.util.Random(1));
        var out = Path.of("target/unigram");
        train(shuffled, 110).save(out);
        for (var name : FILES) {
            try (var expected = TestFiles.resource("unigram/" + name)) {
                assertArrayEquals(
                        expected.readAllBytes(), Files.readAllBytes(out.resolve(name)), name);
            }
        }
    }

    @Test
    void idsAreThePythonReaders() throws IOException {
        for (var name : FILES) {
            try (var in = TestFiles.resource("unigram/" + name)) {
                Files.copy(in, folder.resolve(name));
            }
        }
        var slow = Tokenizers.load(folder, "T5Tokenizer");
        var fast = Tokenizers.load(folder, "T5TokenizerFast");
        assertEquals(110, slow.size());
        assertEquals(110, fast.size());
        try (var in = TestFiles.resource("unigram/ids.json")) {
            var rows = TestFiles.JSON.readTree(in);
            assertEquals(89, rows.size());
            for (var row : rows) {
                var text = row.get("text").textValue();
                assertArrayEquals(TestFiles.ints(row.get("slow")), slow.encode(text), text);
                assertArrayEquals(TestFiles.ints(row.get("fast")), fast.encode(text), text);
            }
        }
    }

    @Test
    void bothFilesGiveTheSameIds() throws IOException {
        train(captions(), 150).save(folder);
        var slow = Tokenizers.load(folder, "T5Tokenizer");
        var fast = Tokenizers.load(folder, "T5TokenizerFast");
        for (var caption : captions()) {
            assertArrayEquals(slow.encode(caption), fast.encode(caption), caption);
        }
        assertEquals("a red heart", slow.decode(slow.encode("A  Red heart")));
        assertEquals("a red heart", fast.decode(fast.encode("A  Red heart")));
    }

    @Test
    void keepsCaseWhenAsked() throws IOException {
        var options = UnigramTrainer.Options.of(150).withLowercase(false).withMaxLength(24);
        new UnigramTrainer(options).train(captions()).save(folder);
        for (var name : List.of("T5Tokenizer", "T5TokenizerFast")) {
            var tokenizer = Tokenizers.load(folder, name);
            assertEquals("A cat", tokenizer.decode(tokenizer.encode(" A cat")));
            assertEquals(24, tokenizer.maxLength());
        }
    }

    @Test
    void estimationIsTheSumOverAllWays() {
        var pieces =
                List.of(
                        new Piece("a", Math.log(0.5)),
                        new Piece("b", Math.log(0.25)),
                        new Piece("ab", Math.log(0.25)));
        var estimation = new UnigramEstimation(List.of(Utf8.bytes("ab")), new long[] {6});
        // a·b has 1/8, ab has 1/4.
        var expectation = estimation.expect(pieces);
        assertEquals(6 * Math.log(0.375), expectation.logLikelihood(), 1e-12);
        assertArrayEquals(new double[] {2, 2, 4}, expectation.counts(), 1e-12);
        assertArrayEquals(new double[] {0, 0, 6}, estimation.bestCounts(pieces));
    }

    @Test
    void commonWordsBecomePieces() throws IOException {
        train(captions(), 150).save(folder);
        var tokenizer = Tokenizers.load(folder, null);
        for (var word : List.of("a", "on", "background", "blue", "purple", "heart", "cat")) {
            assertEquals(2, tokenizer.encode(word).length, word);
        }
        assertTrue(tokenizer.encode("qqq")[0] >= 0);
    }

    @Test
    void fewCaptionsGiveASmallVocabulary() {
        assertTrue(train(List.of("a cat", "a dog"), 1000).size() < 20);
    }

    @Test
    void refusesWhatCannotBeTrained() {
        var nothing =
                assertThrows(IllegalArgumentException.class, () -> train(List.of(" ", ""), 10));
        assertEquals("there are no words in the captions", nothing.getMessage());
        var tooSmall =
                assertThrows(IllegalArgumentException.class, () -> train(List.of("abcdefgh"), 10));
        assertEquals(
                "the captions have 9 characters that each need a token, but vocabularySize leaves"
                        + " room for 7; raise it or lower characterCoverage",
                tooSmall.getMessage());
        assertThrows(IllegalArgumentException.class, () -> UnigramTrainer.Options.of(3));
    }
}
