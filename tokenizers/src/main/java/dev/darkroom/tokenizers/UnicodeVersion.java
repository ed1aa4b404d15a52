package dev.darkroom.tokenizers;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The versions of Unicode that the references were made with. Each release of Java knows another
 * one, so what differs between them comes from a table, {@code unicode.txt}, which {@code
 * tests/oracle/make_unicode_table.py} makes of the references themselves; the same text has the
 * same tokens on every release.
 */
enum UnicodeVersion {
    /** The normalizers of tokenizers 0.22. */
    V9,
    /** Python 3.11: {@code str.lower}, {@code unicodedata} and {@code re}, which ftfy uses too. */
    V14,
    /** The regular expressions and the lower case of tokenizers 0.22. */
    V16,
    /** Python's package regex 2026.11.19. */
    V18;

    private static final Table TABLE = Table.read();

    /** Below, all versions and all of Java's releases agree. */
    private static final int FIRST_DIFFERENCE = TABLE.starts[1];

    /** Characters that are unassigned forever. */
    private static final int UNASSIGNED = 0xFDD0;

    private static final int UNASSIGNED_SUPPLEMENTARY = 0x1FFFE;

    /** For each category a character that has it in every version, in and above the BMP; or 0. */
    private static final int[] STAND_INS = standIns(0x250, 0xFFFF);

    private static final int[] SUPPLEMENTARY_STAND_INS = standIns(0x10000, 0x1FFFF);

    /** The general category of a character, as {@link Character#getType(int)} numbers them. */
    int type(int c) {
        byte type = TABLE.type(c, this);
        return type == Table.JAVAS ? Character.getType(c) : type;
    }

    /** Whether a character is assigned in this version. */
    boolean knows(int c) {
        return type(c) != Character.UNASSIGNED;
    }

    /** The lower case of one character, without special cases. */
    int toLowerCase(int c) {
        if (V14.knows(c)) {
            return Character.toLowerCase(c);
        }
        return knows(c) ? TABLE.lower.getOrDefault(c, c) : c;
    }

    /**
     * Normalises a text; characters that this version does not know stay what and where they are.
     */
    String normalize(String text, Normalizer.Form form) {
        var out = new StringBuilder(text.length());
        int start = 0;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            int next = i + Character.charCount(c);
            if (c >= FIRST_DIFFERENCE && !knows(c)) {
                out.append(Normalizer.normalize(text.substring(start, i), form));
                out.appendCodePoint(c);
                start = next;
            }
            i = next;
        }
        return out.append(Normalizer.normalize(text.substring(start), form)).toString();
    }

    /** Finds a pattern in a text as this version sees it; positions are those of the text. */
    Matcher matcher(Pattern pattern, String text) {
        return pattern.matcher(view(text));
    }

    /** Replaces what a pattern finds in a text as this version sees it. */
    String replaceAll(Pattern pattern, String text, String content) {
        var matcher = matcher(pattern, text);
        var out = new StringBuilder(text.length());
        int last = 0;
        while (matcher.find()) {
            out.append(text, last, matcher.start()).append(content);
            last = matcher.end();
        }
        return out.append(text, last, text.length()).toString();
    }

    /**
     * The text for Java's eyes: as long, but a character that versions know differently is another
     * one, which every release of Java takes for what this version does.
     */
    String view(String text) {
        var out = new StringBuilder(0);
        int last = 0;
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            int seen = c < FIRST_DIFFERENCE ? c : standIn(c);
            if (seen != c) {
                out.append(text, last, i).appendCodePoint(seen);
                last = i + Character.charCount(c);
            }
            i += Character.charCount(c);
        }
        return last == 0 ? text : out.append(text, last, text.length()).toString();
    }

    private int standIn(int c) {
        int type = TABLE.type(c, this);
        if (type == Table.JAVAS) {
            return c;
        }
        boolean supplementary = Character.isSupplementaryCodePoint(c);
        int[] standIns = supplementary ? SUPPLEMENTARY_STAND_INS : STAND_INS;
        if (type == Character.UNASSIGNED) {
            return supplementary ? UNASSIGNED_SUPPLEMENTARY : UNASSIGNED;
        }
        return standIns[type] != 0 ? standIns[type] : standIns[Character.OTHER_PUNCTUATION];
    }

    private static int[] standIns(int from, int to) {
        var standIns = new int[Character.FINAL_QUOTE_PUNCTUATION + 1];
        for (int c = to; c >= from; c--) {
            if (TABLE.type(c, V9) == Table.JAVAS) {
                standIns[Character.getType(c)] = c;
            }
        }
        return standIns;
    }

    /**
     * Runs of characters.
     *
     * @param starts where each run begins, ascending
     * @param types the general category in each version, of each run; {@link #JAVAS} where it is
     *     that of every release of Java
     * @param lower the lower case of characters that are younger than Unicode 14
     */
    private record Table(int[] starts, List<byte[]> types, Map<Integer, Integer> lower) {
        static final byte JAVAS = -1;

        /** The categories by Java's numbers. */
        private static final List<String> CATEGORIES =
                List.of(
                        ("Cn Lu Ll Lt Lm Lo Mn Me Mc Nd Nl No -- Zs Zl Zp Cc Cf -- Co Cs Pd Ps Pe"
                                        + " Pc Po Sm Sc Sk So Pi Pf")
                                .split(" "));

        byte type(int c, UnicodeVersion version) {
            int run = Arrays.binarySearch(starts, c);
            return types.get(run < 0 ? -run - 2 : run)[version.ordinal()];
        }

        /**
         * Reads the table. A line is where a run begins, and {@code =} if its characters are alike
         * everywhere, {@code +} if alike but new to Unicode 9, {@code -} if unassigned everywhere,
         * or else the categories in 14, 16 and 18; or it is a lower case.
         */
        static Table read() {
            var starts = new ArrayList<Integer>();
            var types = new ArrayList<byte[]>();
            var lower = new HashMap<Integer, Integer>();
            var resource =
                    Objects.requireNonNull(
                            UnicodeVersion.class.getResourceAsStream("unicode.txt"),
                            "unicode.txt is not in the jar");
            try (var in =
                    new BufferedReader(
                            new InputStreamReader(resource, StandardCharsets.US_ASCII))) {
                for (var line = in.readLine(); line != null; line = in.readLine()) {
                    var fields = line.split(" ", -1);
                    if (fields[0].equals("lower")) {
                        lower.put(hex(fields[1]), hex(fields[2]));
                    } else {
                        starts.add(hex(fields[0]));
                        types.add(types(fields));
                    }
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return new Table(
                    starts.stream().mapToInt(start -> start).toArray(),
                    List.copyOf(types),
                    Map.copyOf(lower));
        }

        private static int hex(String digits) {
            return Integer.parseInt(digits, 16);
        }

        private static byte[] types(String[] fields) {
            return switch (fields[1]) {
                case "=" -> new byte[] {JAVAS, JAVAS, JAVAS, JAVAS};
                case "+" -> new byte[] {Character.UNASSIGNED, JAVAS, JAVAS, JAVAS};
                case "-" -> new byte[4]; // UNASSIGNED
                default -> {
                    var types = new byte[4];
                    for (int i = 1; i < 4; i++) {
                        types[i] = (byte) CATEGORIES.indexOf(fields[i]);
                    }
                    types[0] = types[1]; // older than 9, or younger than 14
                    yield types;
                }
            };
        }
    }
}
