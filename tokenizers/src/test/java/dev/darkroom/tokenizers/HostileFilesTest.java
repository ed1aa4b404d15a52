package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.TestFiles.cases;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** Files made to hang, to fill the memory or the log are refused in time, by name and reason. */
@Timeout(120)
class HostileFilesTest {
    private static final Duration SOON = Duration.ofSeconds(10);
    private static final int LONGEST_MESSAGE = 1000;

    @TempDir private Path folder;

    private Tokenizer tokenizer(Consumer<ObjectNode> change) throws IOException {
        var root =
                (ObjectNode) TestFiles.JSON.readTree(cases().resolve("t5/tokenizer.json").toFile());
        change.accept(root);
        TestFiles.JSON.writeValue(folder.resolve("tokenizer.json").toFile(), root);
        return Tokenizers.load(folder, "T5TokenizerFast");
    }

    private static JsonNode json(String text) {
        try {
            return TestFiles.JSON.readTree(text);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static JsonNode replace(String regex, String content) {
        var node = TestFiles.JSON.createObjectNode().put("type", "Replace");
        node.putObject("pattern").put("Regex", regex);
        return node.put("content", content);
    }

    private static JsonNode split(String regex) {
        var node = TestFiles.JSON.createObjectNode().put("type", "Split");
        node.putObject("pattern").put("Regex", regex);
        return node.put("behavior", "Isolated").put("invert", false);
    }

    private static JsonNode sequence(String name, JsonNode part, int times) {
        var node = TestFiles.JSON.createObjectNode().put("type", "Sequence");
        for (int i = 0; i < times; i++) {
            node.withArray(name).add(part);
        }
        return node;
    }

    private static void assertShort(Exception refusal, String what) {
        String message = String.valueOf(refusal.getMessage());
        assertTrue(message.contains(what), () -> "\"" + message + "\" should say " + what);
        assertTrue(message.length() < LONGEST_MESSAGE, () -> message.length() + " characters");
        assertTrue(message.lines().count() == 1, message);
    }

    // ---- Regular expressions ----

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(.*)*\\1z",
                "((a?)*)*b",
                "((a?)*)*((a?)*)*b",
                "(a+)+$",
                "(a|aa)+$",
                "(a|a?)+z",
                "(?:a?){30}a{30}z",
                "(.*a){20}z",
                "(\\w+\\s?)*z",
                "(?=(a+))a*\\1z",
                "((a?)*)*\\1\\2b",
                "^(([a-z])+.)+[A-Z]([a-z])+$",
                "(x+x+)+y|(a*)*$z"
            })
    void patternsThatBacktrackWithoutEndAreEnded(String regex) throws IOException {
        for (boolean normalize : new boolean[] {true, false}) {
            var tokenizer =
                    tokenizer(
                            root -> {
                                root.set("normalizer", normalize ? replace(regex, "") : null);
                                root.set("pre_tokenizer", normalize ? null : split(regex));
                            });
            for (String text :
                    new String[] {"a".repeat(30), "a".repeat(5000), "a b ".repeat(500)}) {
                assertTimeoutPreemptively(
                        SOON,
                        () -> {
                            try {
                                tokenizer.encode(text);
                            } catch (TokenizingException e) {
                                assertShort(e, "tokenizer.json: the regular expression \"");
                            }
                        });
            }
        }
    }

    @Test
    void theIssuesPatternsAreRefused() throws IOException {
        for (String regex : new String[] {"(.*)*\\1z", "((a?)*)*\\1\\2b", "(.*a){20}z"}) {
            var tokenizer = tokenizer(root -> root.set("normalizer", replace(regex, "")));
            var refusal =
                    assertThrows(
                            TokenizingException.class, () -> tokenizer.encode("a".repeat(3000)));
            assertShort(refusal, regex);
        }
    }

    @Test
    void matchingHearsAnInterrupt() throws Exception {
        var pattern = GuardedPattern.regex(Path.of("f"), "(.*)*\\1z");
        Thread.currentThread().interrupt();
        var refusal =
                assertThrows(TokenizingException.class, () -> pattern.matches("a".repeat(3000)));
        assertTrue(Thread.interrupted());
        assertShort(refusal, "was interrupted");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(?:){1000000000}",
                "(?:(?:(?:(?:){1000}){1000}){1000}){1000}",
                "(?:(?:^){99999}){99999}",
                "(",
                "[a-",
                "\\p{Nonsense}",
                "a{2147483648}"
            })
    void patternsThatCantBeReadAreRefused(String regex) {
        assertTimeoutPreemptively(
                SOON,
                () ->
                        assertShort(
                                assertThrows(
                                        TokenizerException.class,
                                        () ->
                                                tokenizer(
                                                        root ->
                                                                root.set(
                                                                        "normalizer",
                                                                        replace(regex, "")))),
                                "the regular expression"));
    }

    @Test
    void patternsThatNestWithoutEndAreRefused() {
        for (String regex :
                new String[] {
                    "(".repeat(4000) + ")".repeat(4000),
                    "(".repeat(60) + "a" + ")*".repeat(60),
                    "[".repeat(4000),
                    "a".repeat(1 << 20)
                }) {
            assertTimeoutPreemptively(
                    SOON,
                    () -> {
                        try {
                            tokenizer(root -> root.set("normalizer", replace(regex, "")))
                                    .encode("aaaa".repeat(100));
                        } catch (TokenizerException | TokenizingException e) {
                            assertShort(e, "regular expression");
                        }
                    });
        }
    }

    // ---- Growth ----

    @Test
    void textsThatDoubleAreStopped() throws IOException {
        var twice = sequence("normalizers", replace("(?s).", "xx"), 60);
        var tokenizer = tokenizer(root -> root.set("normalizer", twice));
        var refusal = assertThrows(TokenizingException.class, () -> tokenizer.encode("a heart"));
        assertShort(refusal, "make the text longer than");

        var some = sequence("normalizers", replace("(?s).", "xx"), 16);
        var other = tokenizer(root -> root.set("normalizer", some));
        refusal = assertThrows(TokenizingException.class, () -> other.encode("a heart"));
        assertShort(refusal, "characters of the text's 7");
    }

    @Test
    void textsThatDoubleInPiecesAreStopped() throws IOException {
        var twice = json("{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":false}");
        var tokenizer =
                tokenizer(root -> root.set("pre_tokenizer", sequence("pretokenizers", twice, 60)));
        var refusal = assertThrows(TokenizingException.class, () -> tokenizer.encode("日本"));
        assertShort(refusal, "longer");
    }

    @Test
    void longReplacementsAndManyPartsAreRefused() throws IOException {
        var refusal =
                assertThrows(
                        TokenizingException.class,
                        () ->
                                tokenizer(
                                                root ->
                                                        root.set(
                                                                "normalizer",
                                                                replace("a", "b".repeat(1 << 20))))
                                        .encode("a".repeat(100_000)));
        assertShort(refusal, "make the text longer than");
        var parts =
                assertThrows(
                        TokenizerException.class,
                        () ->
                                tokenizer(
                                        root ->
                                                root.set(
                                                        "normalizer",
                                                        sequence(
                                                                "normalizers",
                                                                json("{\"type\":\"NFC\"}"),
                                                                1000))));
        assertShort(parts, "parts; at most 64");
    }

    @Test
    void textsThatAreTooLongAreRefused() throws IOException {
        for (String name : new String[] {"t5", "clip"}) {
            var tokenizer = Tokenizers.load(cases().resolve(name), null);
            var text = "a ".repeat(200_000);
            assertShort(
                    assertThrows(TokenizingException.class, () -> tokenizer.encode(text)),
                    "400000 characters is too long");
        }
    }

    // ---- Sizes ----

    @ParameterizedTest
    @ValueSource(
            strings = {
                "spiece.model T5Tokenizer",
                "tokenizer.json T5TokenizerFast",
                "tokenizer_config.json T5Tokenizer",
                "added_tokens.json T5Tokenizer",
                "special_tokens_map.json T5Tokenizer",
                "vocab.json CLIPTokenizer",
                "merges.txt CLIPTokenizer"
            })
    void hugeFilesAreNotRead(String fileAndClass) throws IOException {
        String file = fileAndClass.split(" ")[0];
        Files.copy(cases().resolve("t5/spiece.model"), folder.resolve("spiece.model"));
        Files.writeString(folder.resolve("vocab.json"), "{\"a\":0}");
        Files.writeString(folder.resolve("merges.txt"), "#version\n");
        try (var sparse = new RandomAccessFile(folder.resolve(file).toFile(), "rw")) {
            sparse.setLength(1L << 40);
        }
        var refusal =
                assertTimeoutPreemptively(
                        SOON,
                        () ->
                                assertThrows(
                                        TokenizerException.class,
                                        () -> Tokenizers.load(folder, fileAndClass.split(" ")[1])));
        assertShort(refusal, file + ": it has 1.00 TiB, and no file of its kind is larger than");
    }

    @Test
    void idsAndTokensAreBounded() {
        for (String field : new String[] {"2147483647", "16777217"}) {
            assertShort(
                    assertThrows(
                            TokenizerException.class,
                            () ->
                                    tokenizer(
                                            root ->
                                                    root.withArray("added_tokens")
                                                            .add(
                                                                    json(
                                                                            "{\"id\":"
                                                                                    + field
                                                                                    + ",\"content\":\"x\"}")))),
                    "the id of an added token is " + field);
        }
        assertShort(
                assertThrows(
                        TokenizerException.class,
                        () ->
                                tokenizer(
                                        root ->
                                                ((ObjectNode) root.get("model"))
                                                        .withArray("vocab")
                                                        .addArray()
                                                        .add("a".repeat(100_000))
                                                        .add(-1.0))),
                "a token has 100000 characters");
    }

    @Test
    void nothingIsEchoedAtLength() throws IOException {
        String much = "\\u0000\\nmuch".repeat(100_000);
        Files.writeString(
                folder.resolve("tokenizer_config.json"), "{\"pad_token\":[\"" + much + "\"]}");
        Files.copy(cases().resolve("t5/spiece.model"), folder.resolve("spiece.model"));
        assertShort(
                assertThrows(
                        TokenizerException.class, () -> Tokenizers.load(folder, "T5Tokenizer")),
                "a token should be a string or an object");
        assertShort(
                assertThrows(
                        TokenizerException.class,
                        () -> Tokenizers.load(folder, "X" + "y".repeat(100_000))),
                "");
    }

    /** The only thread of a pipeline is free again after a pattern that would hold it. */
    @Test
    void aWorkerIsFreeAgain() throws Exception {
        var tokenizer = tokenizer(root -> root.set("normalizer", replace("(.*)*\\1z", "")));
        var work =
                CompletableFuture.supplyAsync(
                        () -> {
                            assertThrows(
                                    TokenizingException.class,
                                    () -> tokenizer.encode("a".repeat(3000)));
                            return "free";
                        });
        assertEquals("free", work.get(10, TimeUnit.SECONDS));
    }
}
