package dev.darkroom.tokenizers;

import java.util.function.IntPredicate;

/**
 * Lower case in the two ways of the references. {@link String#toLowerCase()} is a third one: it
 * finds final sigmas by word breaks.
 */
final class Lowercase {
    private static final int CAPITAL_SIGMA = 0x3A3;

    /** Marks within words: Unicode's MidLetter, MidNumLet and Single_Quote. */
    private static final String WITHIN_WORDS =
            "':.\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E"
                    + "\uFF1A";

    private Lowercase() {}

    /** Each character on its own, as the tokenizers library does. */
    static String simple(String text) {
        return lower(text, UnicodeVersion.V16, at -> false);
    }

    /**
     * Lowers with Unicode's rule for the final sigma (table 3-17), as Python's {@code str.lower}.
     */
    static String full(String text) {
        return lower(text, UnicodeVersion.V14, at -> isFinalSigma(text, at));
    }

    private static String lower(String text, UnicodeVersion version, IntPredicate isFinalSigma) {
        var out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            if (c == 0x130) {
                out.append("i\u0307"); // the one that becomes two
            } else if (c == CAPITAL_SIGMA && isFinalSigma.test(i)) {
                out.append('\u03C2');
            } else {
                out.appendCodePoint(version.toLowerCase(c));
            }
            i += Character.charCount(c);
        }
        return out.toString();
    }

    /** After a letter with case and before none, marks left aside. */
    private static boolean isFinalSigma(String text, int at) {
        int before = at;
        while (before > 0 && isIgnored(text.codePointBefore(before))) {
            before -= Character.charCount(text.codePointBefore(before));
        }
        int after = at + 1;
        while (after < text.length() && isIgnored(text.codePointAt(after))) {
            after += Character.charCount(text.codePointAt(after));
        }
        return before > 0
                && isCased(text.codePointBefore(before))
                && (after == text.length() || !isCased(text.codePointAt(after)));
    }

    private static boolean isCased(int c) {
        return UnicodeVersion.V14.knows(c)
                && (Character.isLowerCase(c)
                        || Character.isUpperCase(c)
                        || Character.isTitleCase(c));
    }

    private static boolean isIgnored(int c) {
        return switch (UnicodeVersion.V14.type(c)) {
            case Character.NON_SPACING_MARK,
                    Character.ENCLOSING_MARK,
                    Character.FORMAT,
                    Character.MODIFIER_LETTER,
                    Character.MODIFIER_SYMBOL ->
                    true;
            default -> WITHIN_WORDS.indexOf(c) >= 0;
        };
    }
}
