package dev.darkroom.tokenizers;

import java.util.function.IntPredicate;

/** The two notions of white space that the references have. */
public final class Whitespace {
    private Whitespace() {}

    /** Unicode's property White_Space: the {@code \s} of their regular expressions, and Rust's. */
    static boolean isUnicode(int c) {
        return (c >= 0x09 && c <= 0x0D)
                || c == 0x20
                || c == 0x85
                || c == 0xA0
                || c == 0x1680
                || (c >= 0x2000 && c <= 0x200A)
                || c == 0x2028
                || c == 0x2029
                || c == 0x202F
                || c == 0x205F
                || c == 0x3000;
    }

    /** Python's {@code str.isspace}: the information separators too. */
    public static boolean isPython(int c) {
        return isUnicode(c) || (c >= 0x1C && c <= 0x1F);
    }

    static String stripLeading(String text, IntPredicate space) {
        int from = 0;
        while (from < text.length() && space.test(text.charAt(from))) {
            from++;
        }
        return text.substring(from);
    }

    static String stripTrailing(String text, IntPredicate space) {
        int to = text.length();
        while (to > 0 && space.test(text.charAt(to - 1))) {
            to--;
        }
        return text.substring(0, to);
    }

    /** A text without the characters at its ends that are white. */
    public static String strip(String text, IntPredicate space) {
        return stripTrailing(stripLeading(text, space), space);
    }
}
