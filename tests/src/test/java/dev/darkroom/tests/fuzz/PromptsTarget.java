package dev.darkroom.tests.fuzz;

import dev.darkroom.tokenizers.Prompts;
import dev.darkroom.tokenizers.Tokenizer;
import dev.darkroom.tokenizers.Tokenizers;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Any text as a prompt: of bytes that are read as UTF-8, or in pairs as UTF-16, so that halves of
 * characters occur too. Every tokenizer makes ids of it, and of those a text.
 */
public final class PromptsTarget {
    private static final int TOKENS = 77;

    /** The property that names the folder with the reference cases' tokenizers. */
    static final String FOLDER = "darkroom.fuzz.tokenizers";

    private static List<Tokenizer> tokenizers = List.of();

    private PromptsTarget() {}

    /** Called once. */
    public static void fuzzerInitialize() throws IOException {
        Path folder = Path.of(System.getProperty(FOLDER));
        tokenizers =
                List.of(
                        Tokenizers.load(folder.resolve("t5"), "T5Tokenizer"),
                        Tokenizers.load(folder.resolve("t5"), "T5TokenizerFast"),
                        Tokenizers.load(folder.resolve("clip"), "CLIPTokenizer"),
                        Tokenizers.load(folder.resolve("clip"), "CLIPTokenizerFast"));
    }

    static List<byte[]> seeds() {
        var seeds = new ArrayList<byte[]>();
        for (String text :
                List.of(
                        "a red cat, 4k",
                        "a <extra_id_0> b </s> <pad> <|endoftext|>",
                        "½ 日本 “cat” ﷺ e\u0301 \u200b\u00a0\t\n",
                        "&amp;&#x41;&lt;br&gt; it's https://x.y/z?q=1",
                        "👩\u200d👩\u200d👧 🇩🇪 \ud835\udd38",
                        "Ünïcode ЖЗИ ελ \u0130 ß ﬁ",
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")) {
            seeds.add(Answers.bytes("8" + text));
            byte[] pairs = text.getBytes(StandardCharsets.UTF_16BE);
            var seed = new byte[1 + pairs.length];
            seed[0] = '1';
            System.arraycopy(pairs, 0, seed, 1, pairs.length);
            seeds.add(seed);
        }
        return seeds;
    }

    static List<String> dictionary() {
        return List.of(
                "</s>",
                "<pad>",
                "<unk>",
                "<extra_id_3>",
                "<|startoftext|>",
                "<|endoftext|>",
                "▁",
                "&amp;",
                "&#0;",
                "ﷺ",
                "\u0345",
                "\u200d",
                "\ufeff",
                "'ll",
                "é");
    }

    /** Called by the fuzzer. */
    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        Answers.inTime(() -> use(input));
    }

    private static void use(byte[] input) {
        if (input.length == 0) {
            return;
        }
        String text =
                input[0] % 2 == 0
                        ? new String(input, 1, input.length - 1, StandardCharsets.UTF_8)
                        : ByteBuffer.wrap(input, 1, (input.length - 1) / 2 * 2)
                                .asCharBuffer()
                                .toString();
        String prepared = Prompts.prepare(text);
        for (Tokenizer tokenizer : tokenizers) {
            int[] ids = tokenizer.encode(text);
            tokenizer.decode(ids);
            var tokens = tokenizer.encode(prepared, TOKENS);
            Answers.require(tokens.ids().length == TOKENS, "another length than asked for", null);
        }
    }
}
