package dev.darkroom.tokenizers;

import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;

/**
 * The files of the tokenizer that OpenAI published with CLIP (Radford et al. 2021), which Stable
 * Diffusion's text encoders use. Checkpoints in a single file do not hold it.
 */
public final class ClipFiles {
    private static final JsonMapper JSON = new JsonMapper();
    private static final String START = "<|startoftext|>";
    private static final String END = "<|endoftext|>";
    private static final int MAX_LENGTH = 77;

    /** Bytes that have no printable letter of their own. */
    private static final int HIDDEN = 68;

    private ClipFiles() {}

    /**
     * Makes the texts of the files {@code merges.txt}, {@code vocab.json}, {@code
     * tokenizer_config.json} and {@code special_tokens_map.json}, by their names.
     *
     * @param padding the token that texts are filled up with: {@code <|endoftext|>} for OpenAI's
     *     encoders, {@code !} for OpenCLIP's
     */
    public static Map<String, String> of(String padding) {
        Objects.requireNonNull(padding, "padding");
        String merges = merges();
        Map<String, String> files = new LinkedHashMap<>();
        files.put("merges.txt", merges);
        files.put("vocab.json", vocabulary(merges).toString());
        ObjectNode special = special(padding);
        files.put("special_tokens_map.json", special.toPrettyString());
        ObjectNode config = special.deepCopy();
        config.put("add_prefix_space", false).put("do_lower_case", true).put("errors", "replace");
        config.put("model_max_length", MAX_LENGTH).put("tokenizer_class", "CLIPTokenizer");
        files.put("tokenizer_config.json", config.toPrettyString());
        return files;
    }

    private static String merges() {
        try (InputStream packed = ClipFiles.class.getResourceAsStream("clip/merges.txt.gz");
                var text = new GZIPInputStream(Objects.requireNonNull(packed))) {
            return new String(text.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException("CLIP's merges are among the resources", e);
        }
    }

    /** The ids follow from the merges: the bytes, the same at the end of a word, each merge. */
    private static ObjectNode vocabulary(String merges) {
        List<String> tokens = new ArrayList<>(bytes());
        bytes().forEach(letter -> tokens.add(letter + ClipTokenizer.END_OF_WORD));
        merges.lines()
                .skip(1) // the version
                .limit(ClipTokenizer.MOST_MERGES)
                .forEach(merge -> tokens.add(merge.replace(" ", "")));
        tokens.addAll(List.of(START, END));
        ObjectNode ids = JSON.createObjectNode();
        for (int id = 0; id < tokens.size(); id++) {
            ids.put(tokens.get(id), id);
        }
        return ids;
    }

    /** Printable bytes stand for themselves and come first, the others are letters from U+0100. */
    private static List<String> bytes() {
        IntStream plain =
                IntStream.concat(
                        IntStream.rangeClosed('!', '~'), IntStream.rangeClosed(0xA1, 0xFF));
        return IntStream.concat(
                        plain.filter(b -> b != 0xAD), IntStream.range(0x100, 0x100 + HIDDEN))
                .mapToObj(Character::toString)
                .toList();
    }

    private static ObjectNode special(String padding) {
        ObjectNode tokens = JSON.createObjectNode();
        tokens.set("bos_token", token(START));
        tokens.set("eos_token", token(END));
        tokens.set("unk_token", token(END));
        return tokens.put("pad_token", padding);
    }

    private static ObjectNode token(String content) {
        return JSON.createObjectNode()
                .put("content", content)
                .put("lstrip", false)
                .put("normalized", true)
                .put("rstrip", false)
                .put("single_word", false)
                .put("__type", "AddedToken");
    }
}
