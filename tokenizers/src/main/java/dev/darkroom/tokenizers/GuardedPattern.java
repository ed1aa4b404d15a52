package dev.darkroom.tokenizers;

import org.jspecify.annotations.Nullable;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A regular expression from a tokenizer's file. Java's engine tries one way after the other, and a
 * pattern can be such that these are more than anybody can wait for. So the looks at the text are
 * counted, and too many of them, or an interrupt of the thread, are an exception.
 *
 * @param file the file that it is from; null for Darkroom's own, which is not watched
 * @param version the Unicode that it sees a text in
 */
record GuardedPattern(@Nullable Path file, UnicodeVersion version, Pattern pattern) {
    /** Looks at a text of no length, and for each of its characters. */
    private static final long LOOKS = 5_000_000;

    private static final long LOOKS_PER_CHARACTER = 200;

    private static final int LONGEST_PATTERN = 10_000;

    /** Counted repetitions need no look at the text, so they are bounded before. */
    private static final Pattern COUNTED = Pattern.compile("\\{(\\d+)(?:,(\\d*))?\\}");

    private static final long MOST_REPETITIONS = 1_000_000;

    /** Where a match starts and ends. */
    record Match(int start, int end) {}

    /** A pattern of Darkroom's own. */
    static GuardedPattern own(UnicodeVersion version, Pattern pattern) {
        return new GuardedPattern(null, version, pattern);
    }

    /** A text that is looked for as it is. */
    static GuardedPattern literal(Path file, String text) {
        return new GuardedPattern(file, UnicodeVersion.V16, Pattern.compile(text, Pattern.LITERAL));
    }

    /**
     * A regular expression.
     *
     * @throws TokenizerException if it is not valid, or too large
     */
    static GuardedPattern regex(Path file, String regex) throws TokenizerException {
        if (regex.length() > LONGEST_PATTERN) {
            throw new TokenizerException(
                    file,
                    "a regular expression has "
                            + regex.length()
                            + " characters; at most "
                            + LONGEST_PATTERN
                            + " are read");
        }
        try {
            requireFewRepetitions(regex);
            return new GuardedPattern(
                    file,
                    UnicodeVersion.V16,
                    Pattern.compile(regex, Pattern.UNICODE_CHARACTER_CLASS));
        } catch (PatternSyntaxException e) {
            throw new TokenizerException(
                    file,
                    "the regular expression \""
                            + e.getPattern()
                            + "\" is not valid: "
                            + e.getDescription(),
                    e);
        } catch (StackOverflowError | RuntimeException e) {
            throw new TokenizerException(
                    file, "the regular expression \"" + regex + "\" can't be read: " + e, e);
        }
    }

    private static void requireFewRepetitions(String regex) {
        long all = 1;
        var counted = COUNTED.matcher(regex);
        while (counted.find()) {
            for (int group = 1; group <= 2; group++) {
                String count = counted.group(group);
                if (count != null && !count.isEmpty()) {
                    all *= Math.max(1, count.length() > 7 ? MOST_REPETITIONS + 1 : number(count));
                }
                if (all > MOST_REPETITIONS) {
                    throw new PatternSyntaxException("it repeats too often", regex, -1);
                }
            }
        }
    }

    private static long number(String digits) {
        return Long.parseLong(digits);
    }

    /**
     * All matches in a text, from left to right.
     *
     * @throws TokenizingException if they can't be found in time, or the thread is interrupted
     */
    List<Match> matches(String text) {
        var found = new ArrayList<Match>();
        try {
            String seen = version.view(text); // as long
            var matcher = pattern.matcher(file == null ? seen : new Watched(seen));
            while (matcher.find()) {
                found.add(new Match(matcher.start(), matcher.end()));
            }
        } catch (StackOverflowError e) {
            throw failed(text, "goes too deep");
        }
        return found;
    }

    /**
     * A text with its matches replaced.
     *
     * @throws TokenizingException as {@link #matches}, and if it grows too long
     */
    String replaceAll(String text, String content) {
        var out = new StringBuilder(text.length());
        int last = 0;
        for (Match match : matches(text)) {
            out.append(text, last, match.start).append(content);
            Limits.requireStep(file, out.length());
            last = match.end;
        }
        return out.append(text, last, text.length()).toString();
    }

    private TokenizingException failed(String text, String how) {
        return new TokenizingException(
                file,
                "the regular expression \""
                        + pattern.pattern()
                        + "\" "
                        + how
                        + " for a text of "
                        + text.length()
                        + " characters");
    }

    /** Counts the looks at a text. */
    private final class Watched implements CharSequence {
        private static final int OFTEN = 1 << 12;

        private final String text;
        private long left;

        Watched(String text) {
            this.text = text;
            left = LOOKS + LOOKS_PER_CHARACTER * text.length();
        }

        @Override
        public char charAt(int index) {
            left--;
            if (left < 0) {
                throw failed(text, "takes too many steps");
            }
            if (left % OFTEN == 0 && Thread.currentThread().isInterrupted()) {
                throw failed(text, "was interrupted");
            }
            return text.charAt(index);
        }

        @Override
        public int length() {
            return text.length();
        }

        @Override
        public CharSequence subSequence(int start, int end) {
            return text.substring(start, end);
        }

        @Override
        public String toString() {
            return text;
        }
    }
}
