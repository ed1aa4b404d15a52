package dev.darkroom.tokenizers;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.regex.Pattern;

/**
 * GPT-2's printable stand-ins for bytes: printable Latin-1 characters stand for themselves, the
 * other 68 bytes are U+0100 and up.
 */
final class ByteLevel {
    /** GPT-2's words. */
    static final Pattern WORDS =
            Pattern.compile(
                    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"
                            + "|\\s+(?!\\S)|\\s+",
                    Pattern.UNICODE_CHARACTER_CLASS);

    private static final char[] CHARACTERS = new char[256];
    private static final int[] BYTES = new int[512];

    static {
        Arrays.fill(BYTES, -1);
        char next = 256;
        for (char b = 0; b < 256; b++) {
            boolean printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b != 0xAD);
            CHARACTERS[b] = printable ? b : next++;
            BYTES[CHARACTERS[b]] = b;
        }
    }

    private ByteLevel() {}

    /** A well-formed text's UTF-8, one character per byte. */
    static String encode(String text) {
        var utf8 = Utf8.bytes(text);
        var out = new char[utf8.length];
        for (int i = 0; i < utf8.length; i++) {
            out[i] = CHARACTERS[utf8[i] & 0xFF];
        }
        return new String(out);
    }

    /** The text that the characters stand for; a text with other characters stands for itself. */
    static byte[] decode(String text) {
        var bytes = new byte[text.length()];
        for (int i = 0; i < bytes.length; i++) {
            char c = text.charAt(i);
            int b = c < BYTES.length ? BYTES[c] : -1;
            if (b < 0) {
                return text.getBytes(StandardCharsets.UTF_8);
            }
            bytes[i] = (byte) b;
        }
        return bytes;
    }
}
