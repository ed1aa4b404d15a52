package dev.darkroom.tokenizers;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;

/**
 * How a trained vocabulary's captions are normalised: every white space and U+2581 is a space, of
 * several spaces one stays, and none at the ends; letters become small if that is asked for. These
 * rules mean the same in {@code spiece.model} and in {@code tokenizer.json}, which can't be said of
 * SentencePiece's own {@code nmt_nfkc}.
 */
record CaptionRules(boolean lowercase) {
    /** What {@code tokenizer.json} replaces by one space. */
    static final String SPACES = "[\\s" + SentencePiece.SPACE + "]+";

    /** The words of a caption, normalised. */
    List<String> words(String caption) {
        var text = Utf8.wellFormed(caption);
        var words = new ArrayList<String>();
        var word = new StringBuilder();
        for (int i = 0; i < text.length(); i += Character.charCount(text.codePointAt(i))) {
            int c = text.codePointAt(i);
            if (!isSpace(c)) {
                word.append(normal(c));
            } else if (!word.isEmpty()) {
                words.add(word.toString());
                word.setLength(0);
            }
        }
        if (!word.isEmpty()) {
            words.add(word.toString());
        }
        return words;
    }

    /** SentencePiece's table of these rules. */
    byte[] charsMap() {
        var rules = new TreeMap<String, String>();
        for (int c = 1; c <= Character.MAX_CODE_POINT; c++) {
            var from = Character.toString(c);
            boolean isCharacter = c < Character.MIN_SURROGATE || c > Character.MAX_SURROGATE;
            var to = isSpace(c) ? " " : isCharacter ? normal(c) : from;
            if (!to.equals(from)) {
                rules.put(from, to);
            }
        }
        return CharsMapWriter.write(rules);
    }

    private String normal(int c) {
        var text = Character.toString(c);
        return lowercase ? Lowercase.simple(text) : text;
    }

    private static boolean isSpace(int c) {
        return c == SentencePiece.SPACE || Whitespace.isUnicode(c);
    }
}
