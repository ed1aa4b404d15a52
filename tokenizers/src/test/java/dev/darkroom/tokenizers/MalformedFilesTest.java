package dev.darkroom.tokenizers;

import static dev.darkroom.tokenizers.TestFiles.cases;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;

/** Files that are broken in some way are refused by name and reason, and nothing else happens. */
class MalformedFilesTest {
    private static final int NORMAL = 1;
    private static final int UNKNOWN = 2;
    private static final int BYTE = 6;

    @TempDir Path folder;

    // spiece.model

    @Test
    void spieceModelThatIsCutShort() throws IOException {
        var model = Files.readAllBytes(cases().resolve("t5/spiece.model"));
        for (int length : new int[] {1, 2, 10, 500, model.length / 2, model.length - 1}) {
            assertSpieceProblem(
                    "not a SentencePiece model, or truncated", Arrays.copyOf(model, length));
        }
        assertSpieceProblem("no piece is marked as the unknown one", new byte[0]);
        assertSpieceProblem(
                "not a SentencePiece model", "{\"a\": 1}".getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void spieceModelWithImpossiblePieces() throws IOException {
        assertSpieceProblem("no piece is marked as the unknown one", model(piece("a", NORMAL)));
        assertSpieceProblem(
                "there is more than one unknown piece",
                model(piece("?", UNKNOWN), piece("!", UNKNOWN), piece("a", NORMAL)));
        assertSpieceProblem(
                "the piece \"a\" is there twice",
                model(piece("?", UNKNOWN), piece("a", NORMAL), piece("a", NORMAL)));
        assertSpieceProblem(
                "there are no pieces that text could match", model(piece("?", UNKNOWN)));
        assertSpieceProblem("piece 1 is empty", model(piece("?", UNKNOWN), piece("", NORMAL)));
        assertSpieceProblem(
                "piece 1 has the unknown type 9", model(piece("?", UNKNOWN), piece("a", 9)));
        assertSpieceProblem("piece 0 has the score NaN", model(piece("a", NORMAL, Float.NaN)));
        assertSpieceProblem(
                "there is a byte piece although byte fallback is off",
                model(piece("?", UNKNOWN), piece("a", NORMAL), piece("<0x41>", BYTE)));
        assertSpieceProblem(
                "byte fallback is on but the piece <0x00> is missing",
                model(
                        piece("?", UNKNOWN),
                        piece("a", NORMAL),
                        field(2, new byte[] {(byte) (35 << 3 & 0x7F | 0x80), 2, 1})));
        assertSpieceProblem(
                "the model type is number 2; only unigram (1) is supported, which is what T5 uses",
                model(piece("?", UNKNOWN), piece("a", NORMAL), field(2, new byte[] {3 << 3, 2})));
    }

    @Test
    void normaliserTableThatPointsOutside() throws IOException {
        assertTableProblem("is truncated or has a wrong size", new byte[] {1, 0, 0});
        assertTableProblem("is truncated or has a wrong size", table(-1, new int[256], "a\0"));
        assertTableProblem("is truncated or has a wrong size", table(2000, new int[256], "a\0"));
        assertTableProblem("is truncated or has a wrong size", table(1023, new int[256], "a\0"));
        var units = new int[256];
        units[0] = 1 << 20; // children beyond the end
        assertTableProblem("points outside itself", table(1024, units, "a\0"));
        units[0] = 1 << 8; // a value beyond the replacements
        units['a'] = 'a' | 1 << 8;
        Arrays.fill(units, 1, 256, 1 << 31 | 77);
        assertTableProblem("points outside itself", table(1024, units, "a\0"));
    }

    private void assertTableProblem(String problem, byte[] table) throws IOException {
        var normalizer = field(3, field(2, table));
        assertSpieceProblem(problem, model(piece("?", UNKNOWN), piece("a", NORMAL), normalizer));
    }

    private static byte[] table(int size, int[] units, String replacements) {
        var text = replacements.getBytes(StandardCharsets.UTF_8);
        var out =
                ByteBuffer.allocate(4 + units.length * 4 + text.length)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putInt(size);
        for (int unit : units) {
            out.putInt(unit);
        }
        return out.put(text).array();
    }

    private static byte[] piece(String text, int type) {
        return piece(text, type, -1);
    }

    private static byte[] piece(String text, int type, float score) {
        var bits = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(score).array();
        return field(
                1,
                concat(
                        field(1, text.getBytes(StandardCharsets.UTF_8)),
                        new byte[] {2 << 3 | 5},
                        bits,
                        new byte[] {3 << 3, (byte) type}));
    }

    /** A field of bytes. */
    private static byte[] field(int number, byte[] content) {
        var length = new ByteArrayOutputStream();
        for (int rest = content.length; ; rest >>>= 7) {
            length.write(rest > 0x7F ? rest & 0x7F | 0x80 : rest);
            if (rest <= 0x7F) {
                break;
            }
        }
        return concat(new byte[] {(byte) (number << 3 | 2)}, length.toByteArray(), content);
    }

    private static byte[] model(byte[]... fields) {
        return concat(fields);
    }

    private static byte[] concat(byte[]... parts) {
        var out = new ByteArrayOutputStream();
        for (var part : parts) {
            out.writeBytes(part);
        }
        return out.toByteArray();
    }

    private void assertSpieceProblem(String problem, byte[] model) throws IOException {
        Files.write(folder.resolve("spiece.model"), model);
        assertProblem("spiece.model", problem, "T5Tokenizer");
    }

    // tokenizer.json

    @Test
    void partsThatAreNotSupportedAreNamed() throws IOException {
        var unknown = Map.of("type", "Fancy");
        for (var part : new String[] {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
            assertJsonProblem(
                    "the " + part + " \"Fancy\" is not supported",
                    root -> root.set(part, TestFiles.JSON.valueToTree(unknown)));
        }
        assertJsonProblem(
                "the model \"WordPiece\" is not supported, only Unigram and BPE",
                root -> model(root).put("type", "WordPiece"));
        assertJsonProblem(
                "the normalizer \"BertNormalizer\" is not supported",
                root ->
                        root.putObject("normalizer")
                                .put("type", "Sequence")
                                .putArray("normalizers")
                                .addObject()
                                .put("type", "BertNormalizer"));
        assertJsonProblem(
                "the behavior \"MergedWithNext\" of the pre_tokenizer Split is not supported",
                root ->
                        root.putObject("pre_tokenizer")
                                .put("type", "Split")
                                .put("behavior", "MergedWithNext")
                                .putObject("pattern")
                                .put("String", " "));
    }

    @Test
    void fieldsWithImpossibleValues() throws IOException {
        assertJsonProblem("\"model\" is missing", root -> root.remove("model"));
        assertJsonProblem(
                "unk_id is 80 but there are 80 tokens", root -> model(root).put("unk_id", 80));
        assertJsonProblem("\"unk_id\" should be", root -> model(root).put("unk_id", "x"));
        assertJsonProblem("\"vocab\" should be an array", root -> model(root).put("vocab", 1));
        assertJsonProblem(
                "token 80 of the vocabulary, \"▁red\", is empty or there twice",
                root -> model(root).withArray("vocab").addArray().add("▁red").add(-1.0));
        assertJsonProblem(
                "token 80 of the vocabulary should be [text, score]",
                root -> model(root).withArray("vocab").add("▁blue"));
        assertJsonProblem(
                "the added token \"<pad>\" has the wrong id 7",
                root -> ((ObjectNode) root.get("added_tokens").get(0)).put("id", 7));
        assertJsonProblem(
                "the post_processor adds the id 4711, which is no token",
                root ->
                        root.putObject("post_processor")
                                .put("type", "RobertaProcessing")
                                .<ObjectNode>set("cls", pair("<pad>", 0))
                                .set("sep", pair("</s>", 4711)));
        assertJsonProblem(
                "the template for single texts has 0 sequences, not one",
                root -> ((ObjectNode) root.get("post_processor")).putArray("single"));
        assertJsonProblem(
                "the regular expression \"(\" is not valid",
                root ->
                        root.putObject("normalizer")
                                .put("type", "Replace")
                                .put("content", "")
                                .putObject("pattern")
                                .put("Regex", "("));
        assertJsonProblem(
                "the precompiled normaliser table is not Base64",
                root ->
                        root.putObject("normalizer")
                                .put("type", "Precompiled")
                                .put("precompiled_charsmap", "!"));
        Files.writeString(folder.resolve("tokenizer.json"), "{\"model\": ");
        assertProblem("tokenizer.json", "not valid JSON", "T5TokenizerFast");
        Files.writeString(folder.resolve("tokenizer.json"), "[]");
        assertProblem("tokenizer.json", "should hold a JSON object", "T5TokenizerFast");
    }

    private static JsonNode pair(String token, int id) {
        return TestFiles.JSON.createArrayNode().add(token).add(id);
    }

    private static ObjectNode model(ObjectNode root) {
        return (ObjectNode) root.get("model");
    }

    private void assertJsonProblem(String problem, Consumer<ObjectNode> change) throws IOException {
        var root =
                (ObjectNode) TestFiles.JSON.readTree(cases().resolve("t5/tokenizer.json").toFile());
        change.accept(root);
        TestFiles.JSON.writeValue(folder.resolve("tokenizer.json").toFile(), root);
        assertProblem("tokenizer.json", problem, "T5TokenizerFast");
    }

    // vocab.json, merges.txt and the settings

    @Test
    void vocabularyAndMerges() throws IOException {
        assertClipProblem("vocab.json", "the id 0 is there twice", "{\"a\":0,\"b\":0}", "#v\n");
        assertClipProblem("vocab.json", "the id of \"a\" is negative", "{\"a\":-1}", "#v\n");
        assertClipProblem("vocab.json", "\"a\" should be an integer", "{\"a\":0.5}", "#v\n");
        assertClipProblem("vocab.json", "\"a\" should be an integer", "{\"a\":5e10}", "#v\n");
        assertClipProblem("vocab.json", "the vocabulary is empty", "{}", "#v\n");
        assertClipProblem("vocab.json", "Duplicate field 'a'", "{\"a\":0,\"a\":1}", "#v\n");
        assertClipProblem(
                "merges.txt",
                "line 3 should be two parts with one space between them",
                "{\"a\":0,\"b\":1}",
                "#version\na b\na b c\n");
        Files.write(folder.resolve("merges.txt"), new byte[] {'a', (byte) 0xFF, '\n'});
        assertProblem("merges.txt", "not valid UTF-8", "CLIPTokenizer");
        Files.write(folder.resolve("vocab.json"), new byte[] {1, 0, 0, 0, 0, 0, 0, 11, ' '});
        assertProblem("vocab.json", "it is not text in UTF-8", "CLIPTokenizer");
    }

    private void assertClipProblem(String file, String problem, String vocab, String merges)
            throws IOException {
        Files.writeString(folder.resolve("vocab.json"), vocab);
        Files.writeString(folder.resolve("merges.txt"), merges);
        assertProblem(file, problem, "CLIPTokenizer");
    }

    @Test
    void settings() throws IOException {
        Files.copy(cases().resolve("t5/spiece.model"), folder.resolve("spiece.model"));
        assertSettingsProblem(
                "padding_side \"left\" is not supported", "\"padding_side\":\"left\"");
        assertSettingsProblem("\"legacy\" should be true or false", "\"legacy\":1");
        assertSettingsProblem("sp_model_kwargs are not", "\"sp_model_kwargs\":{\"alpha\":0.1}");
        assertSettingsProblem("\"model_max_length\" should be", "\"model_max_length\":0");
        assertSettingsProblem("\"extra_ids\" should be from 0", "\"extra_ids\":-1");
        assertSettingsProblem(
                "extra_ids is 2 but additional_special_tokens has 1",
                "\"extra_ids\":2,\"additional_special_tokens\":[\"<extra_id_0>\"]");
        assertSettingsProblem(
                "\"x\" is not the id of a token", "\"added_tokens_decoder\":{\"x\":\"a\"}");
        assertSettingsProblem("\"content\" is missing", "\"pad_token\":{}");
        assertSettingsProblem("a token should be a string or an object, not 7", "\"pad_token\":7");
    }

    private void assertSettingsProblem(String problem, String fields) throws IOException {
        Files.writeString(folder.resolve("tokenizer_config.json"), "{" + fields + "}");
        assertProblem("tokenizer_config.json", problem, "T5Tokenizer");
    }

    private void assertProblem(String file, String problem, String className) {
        var error =
                assertThrows(TokenizerException.class, () -> Tokenizers.load(folder, className));
        assertTrue(error.getMessage().startsWith(folder.resolve(file) + ": "), error::getMessage);
        assertTrue(
                error.getMessage().contains(problem),
                () -> "\"" + error.getMessage() + "\" should say \"" + problem + "\"");
    }

    // Anything at all

    /** Changed at random, a file either still works or is refused with its own exception. */
    @Test
    void mutatedFilesNeverFailInAnotherWay() throws IOException {
        mutate("t5/spiece.model", "spiece.model", "T5Tokenizer", 400);
        mutate("t5/spiece.model", "spiece.model", "T5TokenizerFast", 100);
        mutate("t5/tokenizer.json", "tokenizer.json", "T5TokenizerFast", 300);
        Files.delete(folder.resolve("tokenizer.json"));
        Files.writeString(
                folder.resolve("vocab.json"),
                "{\"a\":0,\"b\":1,\"a</w>\":2,\"b</w>\":3,\"ab</w>\":4,\"ba\":5,"
                        + "\"<|startoftext|>\":6,\"<|endoftext|>\":7}");
        Files.writeString(folder.resolve("merges.txt"), "#version: 0.2\na b</w>\nb a\n");
        mutate("clip/tokenizer_config.json", "tokenizer_config.json", "CLIPTokenizer", 300);
        Files.delete(folder.resolve("tokenizer_config.json"));
        mutate("clip/special_tokens_map.json", "special_tokens_map.json", "CLIPTokenizer", 200);
        Files.delete(folder.resolve("special_tokens_map.json"));
        for (var name : new String[] {"vocab.json", "merges.txt"}) {
            var original = Files.readAllBytes(folder.resolve(name));
            mutate(original, name, "CLIPTokenizer", 300);
            mutate(original, name, "CLIPTokenizerFast", 300);
            Files.write(folder.resolve(name), original);
        }
    }

    private void mutate(String source, String name, String className, int times)
            throws IOException {
        mutate(Files.readAllBytes(cases().resolve(source)), name, className, times);
        Files.deleteIfExists(folder.resolve("spiece.model"));
    }

    private void mutate(byte[] original, String name, String className, int times)
            throws IOException {
        var random = new Random(name.hashCode() * 31L + times);
        int refused = 0;
        for (int i = 0; i < times; i++) {
            var mutated = mutated(original, random);
            Files.write(folder.resolve(name), mutated);
            try {
                var tokenizer = Tokenizers.load(folder, className);
                var tokens = tokenizer.encode("a red <extra_id_0> ab ½ 日本 </s> “cat”", 16);
                tokenizer.decode(tokens.ids());
            } catch (TokenizerException e) {
                refused++;
            } catch (RuntimeException | StackOverflowError e) {
                fail(name + " changed in try " + i + " was not refused but failed", e);
            }
        }
        assertNotEquals(0, refused, name + " was never refused");
        assertNotEquals(times, refused, name + " was always refused");
    }

    /** Bytes changed, a part cut out, a part doubled, or the end cut off. */
    private static byte[] mutated(byte[] original, Random random) {
        var bytes = original.clone();
        int from = random.nextInt(bytes.length);
        int to = Math.min(bytes.length, from + 1 + random.nextInt(20));
        switch (random.nextInt(8)) {
            case 0 -> bytes = Arrays.copyOf(bytes, from);
            case 1 ->
                    bytes =
                            concat(
                                    Arrays.copyOf(original, from),
                                    Arrays.copyOfRange(original, to, original.length));
            case 2 ->
                    bytes =
                            concat(
                                    Arrays.copyOf(original, to),
                                    Arrays.copyOfRange(original, from, original.length));
            case 3 -> random.nextBytes(bytes);
            default -> {
                for (int i = 1 + random.nextInt(4); i > 0; i--) {
                    bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
                }
            }
        }
        return bytes;
    }

    @Test
    void theFoldersOfTheseTestsWorkUnchanged() throws IOException {
        Files.write(
                folder.resolve("spiece.model"),
                model(piece("?", UNKNOWN), piece("a", NORMAL), piece("</s>", 3)));
        assertEquals("a", Tokenizers.load(folder, "T5Tokenizer").decode(new int[] {1, 2}));
    }
}
