package dev.darkroom.tokenizers;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/** The {@code decoder} of a {@code tokenizer.json}. */
final class Decoders {
    private Decoders() {}

    /**
     * @param space what stands for a space
     * @param prepended whether the first token's is not of the text
     */
    static FastTokenizer.Decoder metaspace(String space, boolean prepended) {
        return tokens -> {
            var text = new StringBuilder();
            for (int i = 0; i < tokens.size(); i++) {
                text.append(tokens.get(i).replace(space, i == 0 && prepended ? "" : " "));
            }
            return text.toString();
        };
    }

    /**
     * Bytes back to text, then CLIP's ends of words to spaces, as its class in transformers does.
     */
    static FastTokenizer.Decoder byteLevel(String endOfWord) {
        return tokens -> {
            var bytes = new ByteArrayOutputStream();
            tokens.forEach(token -> bytes.writeBytes(ByteLevel.decode(token)));
            var text = bytes.toString(StandardCharsets.UTF_8);
            return endOfWord.isEmpty()
                    ? text
                    : Whitespace.strip(text.replace(endOfWord, " "), Whitespace::isPython);
        };
    }
}
