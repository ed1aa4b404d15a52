package dev.darkroom.tokenizers;

import static java.nio.charset.StandardCharsets.UTF_8;

/** Text as UTF-8. */
final class Utf8 {
    private Utf8() {}

    /** The text with each unpaired surrogate replaced by U+FFFD. */
    static String wellFormed(String text) {
        int i = 0;
        while (i < text.length() && !isUnpaired(text, i)) {
            i += Character.charCount(text.codePointAt(i));
        }
        if (i == text.length()) {
            return text;
        }
        var out = new StringBuilder(text);
        for (; i < out.length(); i += Character.charCount(out.codePointAt(i))) {
            if (isUnpaired(out, i)) {
                out.setCharAt(i, '\uFFFD');
            }
        }
        return out.toString();
    }

    private static boolean isUnpaired(CharSequence text, int i) {
        int c = Character.codePointAt(text, i);
        return c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE;
    }

    static byte[] bytes(String text) {
        return text.getBytes(UTF_8);
    }

    static String text(byte[] utf8, int from, int to) {
        return new String(utf8, from, to - from, UTF_8);
    }

    /** The number of bytes of a character. */
    static int length(int codePoint) {
        return codePoint < 0x80 ? 1 : codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
    }

    /** The number of bytes that a character's first byte promises; 1 for a stray byte. */
    static int length(byte first) {
        int b = first & 0xFF;
        return b < 0xC0 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
    }
}
