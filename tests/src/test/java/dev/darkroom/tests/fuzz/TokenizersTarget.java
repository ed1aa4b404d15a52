package dev.darkroom.tests.fuzz;

import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.TokenizerException;
import dev.darkroom.tokenizers.Tokenizers;
import dev.darkroom.tokenizers.TokenizingException;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * Any bytes, but the first, as a file of a tokenizer; the first says which. What can be read makes
 * tokens of a text.
 */
public final class TokenizersTarget {
    private static final String TEXT =
            "a red <extra_id_0> ab  ½ 日本 </s> “cat” e\u0301"
                    + " aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    private static final int TOKENS = 16;

    private static final String UNIGRAM =
            "{\"added_tokens\":[{\"id\":0,\"content\":\"<pad>\",\"special\":true,\"lstrip\":true},"
                + "{\"id\":9,\"content\":\"red\",\"normalized\":true,\"single_word\":true}],"
                + "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Nmt\"},{\"type\":\"NFKC\"},{\"type\":\"Replace\",\"pattern\":{\"Regex\":\""
                + " {2,}\"},\"content\":\" \"},{\"type\":\"Precompiled\",\"precompiled_charsmap\":"
                + "\"CAAAAAAAAAAAAAAAYQA=\"}]},\"pre_tokenizer\":{\"type\":\"Metaspace\","
                + "\"replacement\":\"▁\",\"prepend_scheme\":\"always\",\"split\":true},"
                + "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":"
                + "{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"</s>\",\"type_id\":0}}],"
                + "\"special_tokens\":{\"</s>\":{\"id\":\"</s>\",\"ids\":[1],\"tokens\":[\"</s>\"]}}},"
                + "\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"▁\"},\"model\":{\"type\":"
                + "\"Unigram\",\"unk_id\":2,\"vocab\":[[\"<pad>\",0.0],[\"</s>\",0.0],[\"<unk>\",0.0],"
                + "[\"▁\",-2.1],[\"▁a\",-3.5],[\"a\",-4],[\"aa\",-4.5],[\"re\",-5],[\"d\",-6]]}}";

    private static final String BPE =
            "{\"added_tokens\":[],\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":"
                + "\"NFC\"},{\"type\":\"Strip\"},{\"type\":\"StripAccents\"},{\"type\":\"Prepend\",\"prepend\":\""
                + " \"},{\"type\":\"Lowercase\"}]},\"pre_tokenizer\":{\"type\":"
                + "\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":"
                + "\"'s|[\\\\p{L}]+|[\\\\p{N}]|[^\\\\s\\\\p{L}\\\\p{N}]+\"},\"behavior\":\"Removed\","
                + "\"invert\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]},"
                + "\"post_processor\":{\"type\":\"RobertaProcessing\",\"sep\":[\"</s>\",7],\"cls\":"
                + "[\"<s>\",6]},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\","
                + "\"dropout\":null,\"unk_token\":\"</s>\",\"continuing_subword_prefix\":\"\","
                + "\"end_of_word_suffix\":\"</w>\",\"fuse_unk\":false,\"byte_fallback\":false,"
                + "\"vocab\":{\"a\":0,\"b\":1,\"a</w>\":2,\"b</w>\":3,\"ab</w>\":4,\"aa\":5,\"<s>\":6,\"</s>\":7},\"merges\":[\"a"
                + " b</w>\",[\"a\",\"a\"]]}}";

    private static final String CONFIG =
            "{\"tokenizer_class\":\"T5Tokenizer\",\"add_prefix_space\":true,\"added_tokens_decoder\":"
                + "{\"0\":{\"content\":\"<pad>\",\"lstrip\":false,\"normalized\":false,\"special\":true}},"
                + "\"eos_token\":\"</s>\",\"pad_token\":\"<pad>\",\"unk_token\":{\"content\":\"<unk>\"},"
                + "\"extra_ids\":2,\"additional_special_tokens\":[],\"legacy\":true,"
                + "\"model_max_length\":1e30,\"sp_model_kwargs\":{}}";

    private static final String VOCABULARY =
            "{\"a\":0,\"b\":1,\"a</w>\":2,\"b</w>\":3,\"ab</w>\":4,\"ba\":5,\"<|startoftext|>\":6,"
                    + "\"<|endoftext|>\":7}";
    private static final String MERGES = "#version: 0.2\na b</w>\nb a\n";

    private static final Map<Kind, Path> FOLDERS = new EnumMap<>(Kind.class);

    private TokenizersTarget() {}

    /** A file that is fuzzed, in a folder of its own with others that are right. */
    private enum Kind {
        T5_JSON("T5TokenizerFast", "tokenizer.json", Answers.bytes(UNIGRAM)),
        CLIP_JSON("CLIPTokenizerFast", "tokenizer.json", Answers.bytes(BPE)),
        ANY_JSON("PreTrainedTokenizerFast", "tokenizer.json", Answers.bytes(BPE)),
        PIECES("T5Tokenizer", "spiece.model", pieces()),
        CONVERTED_PIECES("T5TokenizerFast", "spiece.model", pieces()),
        CONFIG_OF_T5("T5Tokenizer", "tokenizer_config.json", Answers.bytes(CONFIG)),
        SPECIAL(
                "T5Tokenizer",
                "special_tokens_map.json",
                Answers.bytes("{\"eos_token\":{\"content\":\"</s>\"},\"pad_token\":\"<pad>\"}")),
        ADDED("T5Tokenizer", "added_tokens.json", Answers.bytes("{\"<x>\":9,\"red\":10}")),
        WORDS("CLIPTokenizer", "vocab.json", Answers.bytes(VOCABULARY)),
        CONVERTED_WORDS("CLIPTokenizerFast", "vocab.json", Answers.bytes(VOCABULARY)),
        PAIRS("CLIPTokenizer", "merges.txt", Answers.bytes(MERGES));

        final String className;
        final String file;
        final byte[] valid;

        Kind(String className, String file, byte[] valid) {
            this.className = className;
            this.file = file;
            this.valid = valid;
        }

        /** A folder of its own, with the other files that it needs. */
        Path folder() throws IOException {
            Path folder = Answers.folder();
            if (className.equals("T5Tokenizer")) {
                Files.write(folder.resolve("spiece.model"), pieces());
            } else if (className.startsWith("CLIP") && !file.equals("tokenizer.json")) {
                Files.writeString(folder.resolve("vocab.json"), VOCABULARY);
                Files.writeString(folder.resolve("merges.txt"), MERGES);
            }
            return folder;
        }
    }

    // ---- A spiece.model of few pieces ----

    private static byte[] pieces() {
        var model = new ByteArrayOutputStream();
        String[] texts = {"<pad>", "</s>", "<unk>", "\u2581", "\u2581a", "a", "aa", "re", "d"};
        int[] types = {3, 3, 2, 1, 1, 1, 1, 4, 5};
        for (int i = 0; i < texts.length; i++) {
            var piece = new ByteArrayOutputStream();
            field(piece, 1, Answers.bytes(texts[i]));
            piece.write(2 << 3 | 5);
            piece.writeBytes(fixed32(-i));
            piece.write(3 << 3);
            piece.write(types[i]);
            field(model, 1, piece.toByteArray());
        }
        var trainer = new ByteArrayOutputStream();
        trainer.write(3 << 3);
        trainer.write(1);
        field(model, 2, trainer.toByteArray());
        var normalizer = new ByteArrayOutputStream();
        field(normalizer, 1, Answers.bytes("user_defined"));
        field(normalizer, 2, charsMap());
        normalizer.write(3 << 3);
        normalizer.write(1);
        field(model, 3, normalizer.toByteArray());
        return model.toByteArray();
    }

    /** A trie whose root has one child, for {@code b}, which becomes {@code a}. */
    private static byte[] charsMap() {
        var units = new int[512];
        units[0] = 256 << 10; // the children of the root are at 256
        units[256 ^ 'b'] = 'b' | 1 << 8 | (256 ^ 'b') << 10; // a string ends; its value is at 0
        var map = ByteBuffer.allocate(4 + 4 * units.length + 2).order(ByteOrder.LITTLE_ENDIAN);
        map.putInt(4 * units.length);
        for (int unit : units) {
            map.putInt(unit);
        }
        return map.put((byte) 'a').put((byte) 0).array();
    }

    private static byte[] fixed32(float value) {
        return ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putFloat(value).array();
    }

    private static void field(ByteArrayOutputStream to, int number, byte[] content) {
        to.write(number << 3 | 2);
        int length = content.length;
        for (; length >= 0x80; length >>>= 7) {
            to.write(length | 0x80);
        }
        to.write(length);
        to.writeBytes(content);
    }

    static List<byte[]> seeds() {
        var seeds = new ArrayList<byte[]>();
        for (Kind kind : Kind.values()) {
            var seed = new byte[1 + kind.valid.length];
            seed[0] = (byte) ('0' + kind.ordinal());
            System.arraycopy(kind.valid, 0, seed, 1, kind.valid.length);
            seeds.add(seed);
        }
        return seeds;
    }

    static List<String> dictionary() {
        return List.of(
                "{\"type\":\"NFD\"}",
                "{\"type\":\"NFKD\"}",
                "{\"type\":\"ByteLevel\"}",
                "{\"type\":\"WhitespaceSplit\"}",
                "{\"type\":\"Lowercase\"}",
                "\"type\":\"Replace\"",
                "\"type\":\"Split\"",
                "\"type\":\"Sequence\"",
                "\"behavior\":\"Isolated\"",
                "{\"String\":\"a\"}",
                "{\"Regex\":\"(a*)*b\"}",
                "{\"Regex\":\"((a?)*)*\\\\1b\"}",
                "{\"Regex\":\"a{999}\"}",
                "\"content\":\"aaaaaaaa\"",
                "\"byte_fallback\":true",
                "\"fuse_unk\":true",
                "\"ignore_merges\":true",
                "\"single_word\":true",
                "\"rstrip\":true",
                "16777216",
                "2147483648",
                "-1",
                "1e400",
                "null",
                "<0x41>",
                "<extra_id_99>",
                "[[",
                "}}",
                "\\ud800",
                "\\u0000");
    }

    /** Called once. */
    public static void fuzzerInitialize() throws IOException {
        for (Kind kind : Kind.values()) {
            FOLDERS.put(kind, kind.folder());
        }
    }

    /** Called by the fuzzer. */
    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        Answers.inTime(() -> use(input));
    }

    private static void use(byte[] input) throws IOException {
        if (input.length == 0) {
            return;
        }
        Kind kind = Kind.values()[Math.floorMod(input[0] - '0', Kind.values().length)];
        Path folder = FOLDERS.get(kind);
        Path file = folder.resolve(kind.file);
        Files.write(file, Arrays.copyOfRange(input, 1, input.length));
        try {
            use(Tokenizers.load(folder, kind.className));
        } catch (TokenizerException | TokenizingException e) {
            Answers.requireTyped(e, folder);
        }
    }

    private static void use(Tokenizer tokenizer) {
        tokenizer.decode(tokenizer.encode(TEXT));
        try {
            tokenizer.encode(TEXT, TOKENS);
        } catch (TokenizingException e) {
            throw e;
        } catch (IllegalArgumentException e) { // its special tokens alone do not fit
            Answers.requireLine(e);
        }
    }
}
